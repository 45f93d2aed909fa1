/** The platform as an app reaches it. */
export interface Access {
  readonly url: string;
  readonly apiKey: string;
}

/** One call of one unmodified client to one model; resolves with what a reader wants to see of its answer. */
export interface ClientCall {
  readonly client: string;
  readonly call: string;
  readonly model: string;
  readonly expected: RegExp;
  readonly run: (access: Access) => Promise<string>;
}

export const own = { chat: "test/chat", ocr: "test/ocr", embeddings: "test/embeddings" } as const;
/** Answers "Hello" through a provider double. */
export const third = "@cf/moonshotai/kimi-k2.5";
/** The same for Replicate's clients, whose models have an owner and a name and nothing else. */
export const thirdAlias = "moonshotai/kimi-k2.5";

/** The models that every chat client is tried with: the same line of code, one changed string. */
export const chatModels: readonly { readonly model: string; readonly says: RegExp }[] = [
  { model: own.chat, says: /hello/i },
  { model: third, says: /^Hello$/ },
];

export const question = "Say hello.";

/** What a call that must fail failed with. */
export async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { name, status, code, message } = error as {
      name?: string;
      status?: number;
      code?: string;
      message?: string;
    };
    return [name, status, code, message].filter((part) => part !== undefined).join(" ");
  }
  return "it did not fail";
}
