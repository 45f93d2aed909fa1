import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type Docker from "dockerode";
import { pack } from "tar-stream";

/** What the host trusts: behind a proxy that signs anew, pip in a build needs it too. */
const hostBundle = "/etc/ssl/certs/ca-certificates.crt";

/** Builds a test's image by BuildKit from these files, `ca.crt` beside them, and returns its ID. */
export async function buildTestImage(
  docker: Docker,
  tag: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  const context = pack();
  for (const [name, content] of Object.entries(files)) context.entry({ name }, content);
  context.entry({ name: "ca.crt" }, existsSync(hostBundle) ? await readFile(hostBundle) : "");
  context.finalize();
  const stream = await docker.buildImage(context as unknown as NodeJS.ReadableStream, {
    t: tag,
    version: "2",
  });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error, records) => {
      const failure = (records as { error?: string }[] | null)?.find((record) => record.error);
      if (error !== null) reject(error);
      else if (failure !== undefined) reject(new Error(failure.error));
      else resolve();
    });
  });
  const { Id } = await docker.getImage(tag).inspect();
  return Id;
}
