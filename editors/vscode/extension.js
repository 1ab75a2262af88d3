// Starts `steerlang lsp` and hands it programs: all else is the server's.

const { commands, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const settings = workspace.getConfiguration("steerlang");
  const [command, ...args] = settings.get("server.command");
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath;
  client = new LanguageClient(
    "steerlang",
    "steerlang",
    { command, args, options: { cwd: folder } },
    {
      documentSelector: [{ language: "steerlang" }, { pattern: "**/*.steer.{yaml,json}" }],
      initializationOptions: { docs: settings.get("docs") },
    },
  );
  try {
    await client.start();
  } catch (problem) {
    const help = "Install it with `pip install 'steerlang[lsp]'`, or name another command in the settings.";
    window.showErrorMessage(`\`${[command, ...args].join(" ")}\` does not start (${problem}). ${help}`);
  }
}

async function activate(context) {
  context.subscriptions.push(
    commands.registerCommand("steerlang.restart", async () => {
      await deactivate();
      await start();
    }),
  );
  await start();
}

async function deactivate() {
  if (client?.isRunning()) await client.stop();
}

module.exports = { activate, deactivate };
