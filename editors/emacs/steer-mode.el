;;; steer-mode.el --- Programs of steerlang -*- lexical-binding: t -*-

;; A mode for *.steer files, and the language server through Eglot (built into Emacs 29; a package before).
;;   (add-to-list 'load-path "/path/to/editors/emacs")
;;   (require 'steer-mode)
;;   (add-hook 'steer-mode-hook #'eglot-ensure)

;;; Code:

(defgroup steer nil "Programs of steerlang." :group 'languages)

(defcustom steer-server-command '("steerlang" "lsp")
  "What starts the language server."
  :type '(repeat string))

(defvar steer-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?# "<" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?_ "_" table)
    table))

(defvar steer-font-lock-keywords
  '(("^\\s-*\\(steerlang\\)\\s-+[0-9]+" 1 font-lock-preprocessor-face)
    ("^\\s-*\\([A-Za-z_][A-Za-z0-9_]*\\)\\s-+\\([A-Za-z_][A-Za-z0-9_]*\\)\\s-*=[^=]"
     (1 font-lock-keyword-face) (2 font-lock-variable-name-face))
    ("\\_<\\(and\\|or\\|not\\)\\_>" . font-lock-keyword-face)
    ("\\_<\\(true\\|false\\|none\\)\\_>" . font-lock-constant-face)
    ("\\_<\\([A-Za-z_][A-Za-z0-9_]*\\)\\s-*(" 1 font-lock-function-name-face)
    ("\\_<\\([A-Za-z_][A-Za-z0-9_]*\\)\\s-*=[^=]" 1 font-lock-type-face)))

;;;###autoload
(define-derived-mode steer-mode prog-mode "Steer"
  "Major mode for programs of steerlang."
  (setq-local comment-start "# "
              comment-end ""
              indent-tabs-mode nil
              font-lock-defaults '(steer-font-lock-keywords)))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.steer\\'" . steer-mode))

(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               `(steer-mode . ,(lambda (&rest _) steer-server-command))))

(provide 'steer-mode)
;;; steer-mode.el ends here
