/** The key of the platform of `stream-platform.ts`, and its models. */
export const streamPlatformKey = "byom_key_of_the_streams";
export const ownModel = "acme/chat";
export const theirModel = "them/chat";
