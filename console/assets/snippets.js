import { copyButton, element, fill, tabs } from "./dom.js";
import { shortenDataUri } from "./output.js";

/** How the same call is made in code. `show` takes `{model, input}`, or `{model, chat}` for a chat. */
export function createSnippets() {
  const view = element("div", {});
  let made = {};
  let shownNames = "";
  let chosen = "curl";
  let code;

  function renderTabs(names) {
    const items = names.map((name) => ({ name, render: () => codeBlock(name) }));
    const onChoose = (index) => (chosen = names[index]);
    fill(
      view,
      tabs({ label: "Language", items, chosen: Math.max(0, names.indexOf(chosen)), onChoose }),
    );
  }
  function codeBlock(name) {
    code = element("pre", { class: "code" }, made[name]);
    return element(
      "div",
      { class: "json" },
      copyButton(() => made[name]),
      code,
    );
  }
  return {
    view,
    show(call) {
      made = snippetsOf(call);
      const names = Object.keys(made);
      // The tabs stay where they are while somebody types: one that is being clicked must not go away.
      if (names.join() === shownNames) code.textContent = made[chosen];
      else {
        shownNames = names.join();
        renderTabs(names);
      }
    },
  };
}

function snippetsOf({ model, input, chat }) {
  const base = location.origin;
  if (chat !== undefined) {
    const body = { model, ...chat };
    return {
      curl: curl(`${base}/v1/chat/completions`, { ...body, stream: true }),
      openai: openAi(base, body),
      replicate: replicate(base, model, { prompt: chat.messages.at(-1)?.content ?? "" }),
      "byom/client": client(base, model, chat),
    };
  }
  const short = JSON.parse(
    JSON.stringify(input, (_key, value) =>
      typeof value === "string" ? shortenDataUri(value) : value,
    ),
  );
  return {
    curl: curl(`${base}/v1/predictions`, { version: model, input: short }, ["-H 'Prefer: wait'"]),
    replicate: replicate(base, model, short),
    "byom/client": client(base, model, short),
  };
}

function curl(url, body, headers = []) {
  return [
    `curl ${quote(url)} \\`,
    '  -H "Authorization: Bearer $BYOM_API_KEY" \\',
    "  -H 'Content-Type: application/json' \\",
    ...headers.map((header) => `  ${header} \\`),
    `  -d ${quote(JSON.stringify(body, undefined, 2))}`,
  ].join("\n");
}

/** For a POSIX shell: a model's name must not become a command in somebody's terminal. */
function quote(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function openAi(base, body) {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${literal(`${base}/v1`)}, apiKey: process.env.BYOM_API_KEY });
const stream = await client.chat.completions.create({
${members({ ...body, stream: true })}
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}`;
}

function replicate(base, model, input) {
  return `import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: ${literal(`${base}/v1`)}, auth: process.env.BYOM_API_KEY });
const prediction = await replicate.predictions.create({
  version: ${literal(model)},
  input: ${indent(literal(input))},
  wait: true,
});
console.log(prediction.output);`;
}

function client(base, model, input) {
  return `import { createAI } from "byom/client";

const ai = createAI({ baseUrl: ${literal(base)}, apiKey: process.env.BYOM_API_KEY });
console.log(await ai.run(${literal(model)}, ${literal(input)}));`;
}

function members(object) {
  return Object.entries(object)
    .map(([name, value]) => `  ${name}: ${indent(literal(value))},`)
    .join("\n");
}

function literal(value) {
  return JSON.stringify(value, undefined, 2);
}

function indent(text) {
  return text.replaceAll("\n", "\n  ");
}
