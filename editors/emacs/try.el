;;; try.el --- Hover, completion, renaming and diagnostics in a real Emacs, without a window -*- lexical-binding: t -*-

;;   emacs --batch -l editors/emacs/try.el
;;
;; from the top of the checkout, with `steerlang[lsp]' installed (STEERLANG names another command) and Eglot there.

;;; Code:

(require 'package)
(package-initialize)
(require 'eglot)
(require 'flymake)
(add-to-list 'load-path (expand-file-name "editors/emacs"))
(require 'steer-mode)
(setq steer-server-command (append (split-string (or (getenv "STEERLANG") "steerlang")) '("lsp"))
      eglot-sync-connect 60
      eglot-connect-timeout 60)

(defvar try-failed nil)

(defun try-check (what found wanted)
  (let ((holds (and (stringp found) (string-match-p (regexp-quote wanted) found))))
    (unless holds (setq try-failed t))
    (princ (format "%s %s: %s\n" (if holds "ok  " "FAIL") what
                   (truncate-string-to-width (replace-regexp-in-string "\n" " | " (or found "nothing")) 110)))))

(defun try-go (text)
  (goto-char (point-min))
  (search-forward text)
  (backward-char))

(defun try-ask (method &rest more)
  (jsonrpc-request (eglot-current-server) method (append (eglot--TextDocumentPositionParams) more) :timeout 60))

(let* ((root default-directory)
       (folder (file-name-as-directory (make-temp-file "steer" t))))
  (make-directory (concat folder "models"))
  (dolist (name '("two_vectors.steer" "common.steer" "data" "models/courtesy"))
    (call-process "cp" nil nil nil "-r" (concat root "specs/" name) (concat folder name)))
  (write-region "" nil (concat folder "pyproject.toml"))
  (find-file (concat folder "two_vectors.steer"))
  (try-check "mode" (symbol-name major-mode) "steer-mode")
  (apply #'eglot (eglot--guess-contact))
  (try-go "common.formal")
  (try-check "hover" (plist-get (plist-get (try-ask :textDocument/hover) :contents) :value) "layers 0..5 of 6")
  (try-go "unit = residual")
  (try-check "completion"
             (mapconcat (lambda (item) (plist-get item :label))
                        (plist-get (try-ask :textDocument/completion) :items) " ")
             "raw unit residual")
  (try-go "vector  both")
  (eglot-rename "together")
  (try-check "rename" (buffer-string) "add(together, layers")
  (goto-char (point-max))
  (insert "expect wrong = nothing > 0\n")
  (eglot--signal-textDocument/didChange)
  (flymake-start)
  (let ((tries 0))
    (while (and (< tries 100) (not (flymake-diagnostics)))
      (accept-process-output nil 0.2)
      (setq tries (1+ tries))))
  (try-check "diagnostics" (mapconcat #'flymake-diagnostic-text (flymake-diagnostics) " ") "under the name `nothing`")
  (set-buffer-modified-p nil)
  (delete-directory folder t)
  (kill-emacs (if try-failed 1 0)))
;;; try.el ends here
