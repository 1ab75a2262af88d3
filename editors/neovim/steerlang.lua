-- Neovim 0.7 and newer: `require("steerlang").setup()`, or `:luafile` of this file and then that. Neovim 0.11 has
-- `vim.lsp.config` for the same; see docs/editors.md.

local M = {}

function M.setup(options)
  options = vim.tbl_extend("keep", options or {}, { cmd = { "steerlang", "lsp" }, docs = "" })
  local group = vim.api.nvim_create_augroup("steerlang", { clear = true })
  vim.api.nvim_create_autocmd({ "BufRead", "BufNewFile" }, {
    group = group,
    pattern = "*.steer",
    command = "setfiletype steer",
  })
  vim.api.nvim_create_autocmd("FileType", {
    group = group,
    pattern = "steer",
    callback = function(event)
      vim.bo[event.buf].commentstring = "# %s"
      M.start(event.buf, options)
    end,
  })
end

function M.start(buffer, options)
  local folder = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buffer), ":p:h")
  local marks = vim.fn.finddir(".git", folder .. ";")
  local root = marks ~= "" and vim.fn.fnamemodify(marks, ":p:h:h") or folder
  local config = {
    name = "steerlang",
    cmd = options.cmd,
    root_dir = root,
    init_options = { docs = options.docs },
    filetypes = { "steer" },
  }
  if vim.lsp.start then
    vim.lsp.start(config, { bufnr = buffer })
    return
  end
  M.clients = M.clients or {}
  M.clients[root] = M.clients[root] or vim.lsp.start_client(config)
  vim.lsp.buf_attach_client(buffer, M.clients[root])
end

return M
