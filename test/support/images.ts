import Docker from "dockerode";

/** Removes an image by its name; one that is not there is no error. Layers that other images use stay. */
export async function removeImage(name: string): Promise<void> {
  await new Docker()
    .getImage(name)
    .remove({ force: true })
    .catch((error: unknown) => {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    });
}
