import { createChatPanel } from "./chat.js";
import { element, fill, tabs } from "./dom.js";
import { createPredictionPanel } from "./prediction.js";
import { createSnippets } from "./snippets.js";
import { formatMs } from "./timing.js";

/** Everything about one model: what it is, a way to try it, and how to call it in code. */
export function createModelView(model) {
  const snippets = createSnippets();
  const prediction = createPredictionPanel({ model, onInput: () => void showForm() });
  const chat = model.isChat ? createChatPanel({ model, onChange: () => showChat() }) : undefined;
  let isChatShown = chat !== undefined;

  async function showForm() {
    if (isChatShown) return;
    snippets.show({ model: model.id, input: await prediction.form.peek() });
  }
  function showChat() {
    if (isChatShown && chat !== undefined) snippets.show({ model: model.id, chat: chat.peek() });
  }

  const ways = [
    ...(chat === undefined ? [] : [{ name: "Chat", render: () => chat.view }]),
    { name: "Form", render: () => prediction.view },
  ];
  const heading = element("h1", { class: "model-title", tabindex: -1 }, model.id);
  const view = element(
    "div",
    { class: "stack wide" },
    element("a", { class: "back", href: "#/" }, "← All models"),
    element(
      "div",
      {},
      heading,
      element(
        "p",
        { class: "chips" },
        factsOf(model).map((fact) => element("span", { class: "chip" }, fact)),
      ),
      model.description !== "" && element("p", { class: "description" }, model.description),
      !model.isCallable &&
        element(
          "p",
          { class: "hint" },
          `This platform has no key of ${model.providers.join(" or ")}: \`byom providers add\` takes one.`,
        ),
    ),
    tabs({
      label: "Ways to try it",
      items: ways,
      onChoose: (index) => {
        isChatShown = chat !== undefined && index === 0;
        showChat();
        void showForm();
      },
    }),
    element(
      "section",
      { class: "card", "aria-label": "Code" },
      element("h2", {}, "In code"),
      snippets.view,
    ),
    element(
      "section",
      { class: "card", "aria-label": "Schema" },
      element("h2", {}, "Schema"),
      schemaBlock("Input", model.input),
      schemaBlock("Output", model.output),
    ),
  );
  return {
    view,
    heading,
    close() {
      prediction.stop();
      chat?.stop();
    },
  };
}

function factsOf(model) {
  return [
    model.task,
    ...model.providers.map((name) => `by ${name}`),
    model.hardware,
    model.version > 0 && model.isOwn && `version ${model.version}`,
    model.state,
    ...model.starts.map(({ mode, medianMs }) => `${mode} in ${formatMs(medianMs)}`),
    model.contextLength > 0 && `${model.contextLength.toLocaleString("en")} tokens of context`,
    ...model.prices,
  ].filter(Boolean);
}

function schemaBlock(name, schema) {
  const code = element("pre", { class: "code" });
  const block = element("details", { class: "more" }, element("summary", {}, name), code);
  // A large schema is written out only for who wants to see it.
  block.addEventListener("toggle", () => fill(code, JSON.stringify(schema, undefined, 2)), {
    once: true,
  });
  return block;
}
