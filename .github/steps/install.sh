#!/usr/bin/env bash
# Installs steerlang: the version asked for from the index, else the one that this action belongs to.
set -euo pipefail
extras="${STEER_EXTRAS:+[$STEER_EXTRAS]}"
if [[ -z "${STEER_VERSION:-}" ]]; then
  what="$STEER_ACTION$extras"
elif [[ "$STEER_VERSION" =~ ^[0-9] ]]; then
  what="steerlang$extras==$STEER_VERSION"
else
  what="steerlang$extras$STEER_VERSION"
fi
python -m pip install --quiet --disable-pip-version-check "$what"
