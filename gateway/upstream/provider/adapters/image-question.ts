import type { ProviderCall, ProviderResult } from "../adapter.ts";

const questionDefault = "Describe this image.";

/** Runs a question about one image as a chat whose answer is one text. */
export async function runImageQuestion(
  call: ProviderCall,
  runChat: (chat: ProviderCall) => Promise<ProviderResult>,
): Promise<ProviderResult> {
  const { image, prompt = questionDefault, ...rest } = call.input;
  const content = [
    { type: "text", text: prompt },
    { type: "image_url", image_url: { url: image } },
  ];
  const input = { ...rest, messages: [{ role: "user", content }] };
  const { output, metrics } = await runChat({
    ...call,
    input,
    isStreaming: false,
    emit: () => undefined,
  });
  const pieces = (output as readonly unknown[]).filter((piece) => typeof piece === "string");
  return { output: pieces.join(""), metrics };
}
