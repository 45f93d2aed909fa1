import { execa } from "execa";
import type Docker from "dockerode";
import { baseImage } from "../../support/base-image.ts";
import { buildTestImage } from "../../support/build-image.ts";
import { own, third, thirdAlias, type Access, type ClientCall } from "./client-call.ts";

const image = "byom-test/python-clients";

const dockerfile = `FROM ${baseImage}
RUN --mount=type=bind,source=ca.crt,target=/run/ca.crt --mount=type=cache,target=/root/.cache/pip \\
    PIP_CERT=/run/ca.crt pip install --break-system-packages openai==3.54.0 replicate==1.0.7
`;

/** Builds the image with both clients; pip's cache makes it quick the second time. */
export async function preparePythonClients(docker: Docker): Promise<void> {
  await buildTestImage(docker, image, { Dockerfile: dockerfile });
}

const openai = `import os, openai
client = openai.OpenAI(base_url=os.environ["BYOM_URL"] + "/v1", api_key=os.environ["BYOM_API_KEY"], max_retries=0)
ask = dict(model=os.environ["MODEL"], messages=[{"role": "user", "content": "Say hello."}], max_tokens=24, temperature=0)
`;
const replicate = `import os, replicate
client = replicate.Client(base_url=os.environ["BYOM_URL"], api_token=os.environ["BYOM_API_KEY"])
`;

interface Script {
  readonly client: "openai (Python)" | "replicate (Python)";
  readonly call: string;
  readonly model: string;
  readonly expected: RegExp;
  readonly code: string;
}

const scripts: readonly Script[] = [
  ...[own.chat, third].flatMap((model): readonly Script[] => [
    {
      client: "openai (Python)",
      call: "chat.completions",
      model,
      expected: /hello/i,
      code: `${openai}print(client.chat.completions.create(**ask).choices[0].message.content)`,
    },
    {
      client: "openai (Python)",
      call: "chat.completions, streamed",
      model,
      expected: /hello/i,
      code: `${openai}print("".join(c.choices[0].delta.content or "" for c in client.chat.completions.create(**ask, stream=True) if c.choices))`,
    },
  ]),
  ...[own.chat, thirdAlias].map((model): Script => ({
    client: "replicate (Python)",
    call: "run",
    model,
    expected: /hello/i,
    code: `${replicate}output = client.run(os.environ["MODEL"], input={"prompt": "Say hello.", "max_tokens": 24, "temperature": 0})
print("".join(piece for piece in output if isinstance(piece, str)))`,
  })),
  {
    client: "openai (Python)",
    call: "embeddings",
    model: own.embeddings,
    expected: /^384$/,
    code: `${openai}print(len(client.embeddings.create(model=os.environ["MODEL"], input=["one"]).data[0].embedding))`,
  },
  {
    client: "openai (Python)",
    call: "chat.completions, no such model",
    model: "test/nothing",
    expected: /NotFoundError 404 model_not_found/,
    code: `${openai}
try:
    client.chat.completions.create(**ask)
except openai.APIStatusError as error:
    print(type(error).__name__, error.status_code, error.code)`,
  },
  {
    client: "replicate (Python)",
    call: "run, unknown input",
    model: own.ocr,
    expected: /is not an input of this model/,
    code: `${replicate}
try:
    client.run(os.environ["MODEL"], input={"picture": "x"})
except replicate.exceptions.ReplicateError as error:
    print(error.detail)`,
  },
];

export const pythonCalls: readonly ClientCall[] = scripts.map(({ code, ...facts }) => ({
  ...facts,
  run: (access) => runPython(access, facts.model, code),
}));

/** In a container that shares the host's network: the platform listens on loopback only. */
async function runPython(access: Access, model: string, code: string): Promise<string> {
  const variables = { BYOM_URL: access.url, BYOM_API_KEY: access.apiKey, MODEL: model };
  const { stdout } = await execa(
    "docker",
    [
      "run",
      "--rm",
      "--network=host",
      "--entrypoint=python",
      ...Object.keys(variables).flatMap((name) => ["--env", name]),
      image,
      "-c",
      code,
    ],
    { env: variables },
  );
  return stdout.trim();
}
