import { describe, expect, it } from "vitest";

import { checkChatTemplate, renderChat } from "../../../../gateway/chat/template.ts";

// A prompt that is not what the model was trained on gives worse answers, and nobody can tell why.

const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: [{ type: "text", text: "hi" }] },
  { role: "assistant", content: "hello" },
  { role: "user", content: "bye" },
];

describe("a bundled chat template", () => {
  it.each([
    [
      "chatml",
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n" +
        "<|im_start|>assistant\nhello<|im_end|>\n<|im_start|>user\nbye<|im_end|>\n<|im_start|>assistant\n",
    ],
    [
      "llama3",
      "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\nhello<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nbye<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ],
    ["mistral", "[INST] Be brief.\n\nhi [/INST] hello</s>[INST] bye [/INST]"],
    [
      "gemma",
      "<start_of_turn>user\nBe brief.\n\nhi<end_of_turn>\n<start_of_turn>model\nhello<end_of_turn>\n" +
        "<start_of_turn>user\nbye<end_of_turn>\n<start_of_turn>model\n",
    ],
    ["plain", "System: Be brief.\nUser: hi\nAssistant: hello\nUser: bye\nAssistant:"],
  ])("%s writes a chat as its models know it", (name, expected) => {
    expect(renderChat("a/b", name, { messages })).toBe(expected);
  });

  it("tells of tools, their calls and their results", () => {
    const call = { name: "f", arguments: '{"a": 1}' };
    const prompt = renderChat("a/b", "chatml", {
      messages: [
        { role: "developer", content: "Be brief." },
        { role: "user", content: "go" },
        { role: "assistant", content: null, tool_calls: [{ id: "1", function: call }] },
        { role: "tool", tool_call_id: "1", content: "done" },
      ],
      tools: [{ type: "function", function: { name: "f" } }],
    });
    expect(prompt).toContain("<|im_start|>system\nBe brief.\n\n# Tools");
    expect(prompt).toContain('<tools>\n{"type": "function", "function": {"name": "f"}}\n</tools>');
    expect(prompt).toContain(
      '<|im_start|>assistant\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n' +
        "<|im_start|>user\n<tool_response>\ndone\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
    );
    expect(prompt.match(/Be brief/g)).toHaveLength(1);
  });
});

describe("a template of the model's own", () => {
  it("gets the variables that it asks for", () => {
    const template =
      "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}";
    expect(renderChat("a/b", template, { messages, variables: { eos_token: "|" } })).toBe(
      "Be brief.|hi|hello|bye|",
    );
  });

  it("refuses messages in its own words, as an error of the request", () => {
    const template = "{{ raise_exception('Only user messages!') }}";
    expect(() => renderChat("a/b", template, { messages })).toThrow(
      /chat template of a\/b refuses these messages: .*Only user messages!/,
    );
  });

  it("is checked before it is deployed", () => {
    expect(() => checkChatTemplate("chatml")).not.toThrow();
    expect(() => checkChatTemplate("{{ messages[0].content }}")).not.toThrow();
    expect(() => checkChatTemplate("chatlm")).toThrow(/no chat template chatlm.*chatml, llama3/);
    expect(() => checkChatTemplate("{% for m in messages %}")).toThrow();
  });
});
