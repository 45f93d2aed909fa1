import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

export const byom = createOpenAICompatible({
  name: "byom",
  baseURL: "https://models.example.com/v1",
  apiKey: process.env.BYOM_API_KEY,
  includeUsage: true,
});

export const models = {
  "me/chat": byom.chatModel("me/chat"),
  "@cf/moonshotai/kimi-k2.5": byom.chatModel("@cf/moonshotai/kimi-k2.5"),
  "me/vectors": byom.embeddingModel("me/vectors"),
  "me/painter": byom.imageModel("me/painter"),
};
