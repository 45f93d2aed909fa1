import { createHash } from "node:crypto";
import { createRegistryClient, mediaTypes } from "../../registry-client/index.ts";

/*
 * Run as a process of its own, so that its memory can be looked at: pushes a blob of that many MiB to a registry,
 * reads it back, and prints by how much its memory grew at most, in KiB.
 */

const [registry = "", mebibytes = "0"] = process.argv.slice(2);
const block = Buffer.alloc(1024 * 1024, "weights");
const blocks = Number(mebibytes);
const hash = createHash("sha256");
for (let index = 0; index < blocks; index += 1) hash.update(block);

const memoryBefore = process.resourceUsage().maxRSS;
await using client = createRegistryClient({ registry });
const pushed = await client.pushBlob("large/blob", {
  descriptor: {
    mediaType: mediaTypes.layerTar,
    digest: `sha256:${hash.digest("hex")}`,
    size: blocks * block.byteLength,
  },
  async *open() {
    for (let index = 0; index < blocks; index += 1) yield block;
  },
});
let readBytes = 0;
for await (const chunk of client.getBlob("large/blob", pushed.descriptor))
  readBytes += chunk.byteLength;
process.stdout.write(
  JSON.stringify({
    ...pushed,
    readBytes,
    memoryGrowthKibibytes: process.resourceUsage().maxRSS - memoryBefore,
  }),
);
