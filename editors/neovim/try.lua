-- Hover, completion, definition, renaming, diagnostics and formatting in a real Neovim, without a window:
--
--   nvim --headless -u NONE -c "luafile editors/neovim/try.lua"
--
-- from the top of the checkout, with `steerlang[lsp]` installed (STEERLANG names another command). Prints what Neovim
-- was told, and exits with 1 where one of them fails. Works on a copy of two programs of specs/.

local root = vim.fn.getcwd()
package.path = root .. "/editors/neovim/?.lua;" .. package.path
local command = vim.split(os.getenv("STEERLANG") or "steerlang", " ")
require("steerlang").setup({ cmd = vim.list_extend(command, { "lsp" }) })
vim.o.swapfile = false

local folder = vim.fn.tempname()
vim.fn.mkdir(folder .. "/models", "p")
for _, name in ipairs({ "two_vectors.steer", "common.steer", "data", "models/courtesy" }) do
  vim.fn.system({ "cp", "-r", root .. "/specs/" .. name, folder .. "/" .. name })
end
vim.fn.writefile({}, folder .. "/pyproject.toml")

local failed = false
local function check(what, found, wanted)
  local holds = found ~= nil and string.find(tostring(found), wanted, 1, true) ~= nil
  failed = failed or not holds
  local shown = tostring(found):gsub("\n", " | ")
  io.stdout:write((holds and "ok   " or "FAIL ") .. what .. ": " .. shown:sub(1, 150) .. "\n")
end

vim.cmd("edit " .. folder .. "/two_vectors.steer")
local buffer = vim.api.nvim_get_current_buf()

local function go(text, columns)
  vim.fn.cursor(1, 1)
  vim.fn.search(text)
  local place = vim.api.nvim_win_get_cursor(0)
  vim.api.nvim_win_set_cursor(0, { place[1], place[2] + (columns or 0) })
end

local function ask(method)
  local params = vim.lsp.util.make_position_params(0, "utf-16")
  for _, answer in pairs(vim.lsp.buf_request_sync(buffer, method, params, 20000) or {}) do
    return answer.result
  end
end

local function text(of)
  return table.concat(vim.api.nvim_buf_get_lines(of, 0, -1, false), "\n")
end

local function attached()
  local clients = (vim.lsp.get_clients or vim.lsp.get_active_clients)()
  return #clients > 0 and clients[1].initialized
end
check("attached", vim.wait(30000, attached, 50), "true")

go("common.formal", 8)
check("hover", ask("textDocument/hover").contents.value, "layers 0..5 of 6")
check("definition", ask("textDocument/definition").uri, "common.steer")
go("unit = residual", 7)
local labels = vim.tbl_map(function(item) return item.label end, ask("textDocument/completion").items)
check("completion", table.concat(labels, " "), "raw unit residual")

go("vector  both", 9)
vim.lsp.buf.rename("together")
vim.wait(20000, function() return text(buffer):find("add(together", 1, true) ~= nil end, 50)
check("rename here", text(buffer), "add(together, layers")

go("common.formal", 8)
vim.lsp.buf.rename("official")
vim.wait(20000, function() return text(buffer):find("common.official", 1, true) ~= nil end, 50)
check("rename across files, here", text(buffer), "common.official")
local other = vim.fn.bufnr(folder .. "/common.steer")
vim.fn.bufload(other)
check("rename across files, there", text(other), "vector official")
vim.cmd("silent wall")

vim.api.nvim_buf_set_lines(buffer, -1, -1, false, { "expect wrong = nothing > 0" })
local function told()
  for _, found in ipairs(vim.diagnostic.get(buffer)) do
    if found.message:find("under the name", 1, true) then return found.message end
  end
end
vim.wait(20000, function() return told() ~= nil end, 50)
check("diagnostics", told(), "nothing is defined under the name `nothing`")

vim.api.nvim_buf_set_lines(buffer, -2, -1, false, { "expect   right=1<2" })
if vim.lsp.buf.format then
  vim.lsp.buf.format({ timeout_ms = 20000 })
else
  vim.lsp.buf.formatting_sync(nil, 20000)
end
check("formatting", text(buffer), "right = 1 < 2")

vim.fn.delete(folder, "rf")
vim.cmd(failed and "cquit 1" or "qall!")
