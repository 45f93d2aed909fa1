/** Characters that `String.fromCharCode` takes at once without overflowing the stack. */
const charactersPerCall = 8_192;

/** The inputs as JSON carries them: bytes at the top, in lists or in objects become data URIs. */
export async function encodeInputs(value: unknown): Promise<unknown> {
  if (value instanceof Blob) {
    return dataUri(new Uint8Array(await value.arrayBuffer()), value.type);
  }
  if (value instanceof ArrayBuffer) return dataUri(new Uint8Array(value), "");
  if (ArrayBuffer.isView(value)) {
    return dataUri(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), "");
  }
  if (Array.isArray(value)) return await Promise.all(value.map(encodeInputs));
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const entries = Object.entries(value).map(
    async ([name, item]) => [name, await encodeInputs(item)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function dataUri(bytes: Uint8Array, type: string): string {
  let binary = "";
  for (let from = 0; from < bytes.length; from += charactersPerCall) {
    binary += String.fromCharCode(...bytes.subarray(from, from + charactersPerCall));
  }
  return `data:${type === "" ? "application/octet-stream" : type};base64,${btoa(binary)}`;
}
