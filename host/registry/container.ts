import type Docker from "dockerode";

/** CNCF Distribution, as its project publishes it. */
export const registryImage = "registry:3";
export const registryContainer = "byom-registry";

/** Starts (again) the registry as a container with its storage in byom's folder, published on loopback only. */
export async function startRegistryContainer(
  docker: Docker,
  options: { port: number; storage: string; signal: AbortSignal },
): Promise<string> {
  const { signal, port } = options;
  await removeRegistryContainer(docker, { signal });
  const container = await docker.createContainer({
    name: registryContainer,
    Image: registryImage,
    Labels: { "dev.byom.role": "registry" },
    Env: ["REGISTRY_STORAGE_DELETE_ENABLED=true"],
    ExposedPorts: { "5000/tcp": {} },
    HostConfig: {
      Binds: [`${options.storage}:/var/lib/registry`],
      PortBindings: { "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] },
      RestartPolicy: { Name: "unless-stopped" },
    },
    abortSignal: signal,
  });
  await container.start({ abortSignal: signal });
  return `127.0.0.1:${port}`;
}

/** Removes the registry's container; its storage stays. True when there was one. */
export async function removeRegistryContainer(
  docker: Docker,
  options: { signal: AbortSignal },
): Promise<boolean> {
  try {
    const container = docker.getContainer(registryContainer);
    await container.remove({ force: true, abortSignal: options.signal });
    return true;
  } catch (error) {
    options.signal.throwIfAborted();
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}
