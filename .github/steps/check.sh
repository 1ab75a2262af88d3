#!/usr/bin/env bash
# Runs one command of steerlang: annotations and the summary, then the files that were asked for.
set -uo pipefail
# Inputs are words, never shell: patterns are not expanded, and nothing in them is executed.
set -f
read -r -a command <<<"$STEER_COMMAND"
read -r -a paths <<<"$STEER_PATHS"
code=0
steerlang "${command[@]}" --format github "${paths[@]}" || code=$?
for form in sarif junit; do
  name="STEER_${form^^}"
  if [[ -n "${!name:-}" ]]; then
    steerlang "${command[@]}" --quiet --format "$form" "${paths[@]}" >"${!name}" 2>/dev/null || true
  fi
done
echo "exit-code=$code" >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
