import Docker from "dockerode";

/** Running or not: every container with a label that begins so, `name=value` or a prefix of it. */
export async function listContainers(
  labelPrefix: string,
): Promise<readonly { id: string; state: string }[]> {
  const containers = await new Docker().listContainers({ all: true });
  return containers
    .filter(({ Labels }) =>
      Object.entries(Labels).some(([name, value]) => `${name}=${value}`.startsWith(labelPrefix)),
    )
    .map(({ Id, State }) => ({ id: Id, state: State }));
}
