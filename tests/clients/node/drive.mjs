// One operation of npm's `webdav` on a drive: node drive.mjs URL OPERATION PATH…
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createClient } from "webdav";

const [url, operation, path, ...rest] = process.argv.slice(2);
const client = createClient(url);

const operations = {
  list: async () => {
    const entries = await client.getDirectoryContents(path);
    process.stdout.write(entries.map((entry) => `${entry.basename}\n`).join(""));
  },
  read: async () => process.stdout.write(await client.getFileContents(path)),
  readRange: async () => {
    const [start, end] = rest.map(Number);
    await pipeline(client.createReadStream(path, { range: { start, end } }), process.stdout);
  },
  write: async () => {
    const done = await client.putFileContents(path, await buffer(process.stdin), { overwrite: true });
    if (!done) throw new Error("putFileContents was refused");
  },
  makeFolder: () => client.createDirectory(path),
  rename: () => client.moveFile(path, rest[0]),
  delete: () => client.deleteFile(path),
};

await operations[operation]();
