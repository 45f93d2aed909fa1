import { readImage } from "./criu-image.ts";
import { quoted, refuse } from "./refusal.ts";

/** A property is a file of a cgroup's directory: `memory.limit_in_bytes`. */
const propertyPattern = /^[a-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/;

/**
 * That all processes are in one cgroup per controller, which CRIU then moves to the new container's: it replaces the
 * path of a set where it begins with the controller's own directory, and takes any other path as it stands.
 */
export async function verifyCgroups(images: string): Promise<void> {
  const [entry, ...more] = await readImage(images, "cgroup.img", "cgroup");
  if (entry === undefined || more.length > 0)
    return refuse("images/cgroup.img has no single entry");
  entry.expectOnly([1, 2]);
  const members = entry.messages(1).flatMap((set) => set.messages(2));
  const path = members[0]?.text(2) ?? "/";
  if (!isInside(path)) refuse(`a process is in the cgroup ${quoted(path)}`);
  const controllers = entry.messages(2);
  const known = new Set(controllers.flatMap((controller) => controller.texts(1)));
  for (const member of members) {
    const name = member.text(1) ?? "";
    const prefix = member.uint32(3) ?? 0;
    if (member.text(2) !== path) refuse(`a process is in another cgroup of ${quoted(name)}`);
    if (prefix !== 0 && prefix !== path.length)
      refuse("a process is in a cgroup namespace of its own");
    if (!known.has(name)) refuse(`the cgroup of ${quoted(name)} is not described`);
  }
  for (const controller of controllers) {
    const [directory, ...others] = controller.messages(2);
    if (directory === undefined) continue;
    directory.expectOnly([1, 2, 3, 4]);
    if (others.length > 0 || directory.has(2))
      refuse("the images have cgroups below the container's");
    if (`/${directory.text(1) ?? ""}` !== path) {
      refuse(`a cgroup ${quoted(directory.text(1) ?? "")} is not the container's`);
    }
    for (const property of directory.messages(3)) {
      const name = property.text(1) ?? "";
      if (!propertyPattern.test(name)) refuse(`a cgroup has the property ${quoted(name)}`);
      const value = Buffer.from(property.bytes(2) ?? []).toString("latin1");
      if (name === "devices.list" && /^a/m.test(value)) refuse("the images allow every device");
    }
  }
}

/** A container's own: not the root, and nothing that leads out of it. */
function isInside(path: string): boolean {
  const parts = path.split("/").slice(1);
  return path.startsWith("/") && parts.every((part) => !["", ".", ".."].includes(part));
}
