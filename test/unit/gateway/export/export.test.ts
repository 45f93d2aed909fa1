// What other gateways are given. A wrong field means that a model is silently missing, unpriced or unreachable over there;
// a key in clear means that it is in somebody's repository. The goldens are read against each gateway's documentation.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { parse, parseAllDocuments } from "yaml";
import { describe, expect, it } from "vitest";

import { exportModels, exportTargets, type ExportTarget } from "../../../../gateway/index.ts";
import { shellJson, shellVariable } from "../../../../gateway/export/shell.ts";
import { renderYaml } from "../../../../gateway/export/yaml.ts";
import { exported, exportOptions } from "./models.ts";

const endings = { yaml: "yaml", json: "json", sh: "sh", typescript: "ts" } as const;
const secret = "byom_secret-in-clear";

function golden(target: ExportTarget, language: keyof typeof endings): string {
  // `.txt`: the formatter leaves them as they are.
  const name = `golden/${target}.${endings[language]}.txt`;
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

describe.each(exportTargets)("to %s", (target) => {
  it("writes what was agreed on", () => {
    const { text, language } = exportModels(target, exported, exportOptions);
    expect(text).toBe(golden(target, language));
  });

  it("can be read by a parser of its language", () => {
    const { text, language } = exportModels(target, exported, exportOptions);
    if (language === "json") expect(() => JSON.parse(text) as unknown).not.toThrow();
    if (language === "yaml") {
      for (const document of parseAllDocuments(text)) {
        expect(document.errors).toEqual([]);
        expect(renderYaml(document.toJS())).toBe(renderYaml(parse(String(document))));
      }
    }
    if (language === "sh") {
      expect(spawnSync("sh", ["-n"], { input: text, encoding: "utf8" })).toMatchObject({
        status: 0,
        stderr: "",
      });
    }
  });

  it("names the key's variable, and holds the key only when it is to be revealed", () => {
    const plain = exportModels(target, exported, { ...exportOptions, keyEnv: "OTHER_KEY" });
    expect(plain.text).not.toContain("BYOM_API_KEY");
    expect(`${plain.text}${plain.notes.join("")}`).toMatch(/OTHER_KEY|BYOM_API_KEY/);
    const open = exportModels(target, exported, { ...exportOptions, key: secret });
    const hasPlace = !["helicone", "models.dev"].includes(target);
    expect(open.text.includes(secret)).toBe(hasPlace);
  });

  it("leaves out, and says so, what cannot be called there", () => {
    const { text, skipped } = exportModels(target, exported, exportOptions);
    expect(skipped.map(({ id }) => id)).toContain("me/ocr");
    expect(text).not.toContain("me/ocr");
  });

  it("writes nothing that breaks when there is no model", () => {
    const { text } = exportModels(target, [], exportOptions);
    expect(text).not.toContain("undefined");
  });
});

it("LiteLLM's prices are dollars for one token, exact", () => {
  const { text } = exportModels("litellm", exported, exportOptions);
  const { model_list: list } = parse(text) as { model_list: { litellm_params: object }[] };
  expect(list[0]?.litellm_params).toMatchObject({
    input_cost_per_token: 1.5e-7,
    output_cost_per_token: 6e-7,
    cache_read_input_token_cost: 7.5e-8,
  });
});

describe("a base URL", () => {
  it.each(["https://h.example/v1", "https://h.example/v1/", "https://h.example/"])(
    "%s is one",
    (baseUrl) => {
      const { text } = exportModels("litellm", exported, { ...exportOptions, baseUrl });
      expect(text).toContain('api_base: "https://h.example/v1"');
    },
  );

  it.each(["ftp://h.example", "h.example", "https://user:pw@h.example", "https://h.example/?a=1"])(
    "%s is none",
    (baseUrl) => {
      expect(() => exportModels("litellm", exported, { ...exportOptions, baseUrl })).toThrow(
        "is no base URL",
      );
    },
  );

  it("below a path keeps it", () => {
    const baseUrl = "https://h.example/ai";
    expect(exportModels("envoy", exported, { ...exportOptions, baseUrl }).text).toContain(
      "prefix: /ai/v1",
    );
    expect(exportModels("litellm", exported, { ...exportOptions, baseUrl }).text).toContain(
      "https://h.example/ai/v1",
    );
  });

  it("of a private network is allowed where the gateway would refuse it, and named in the notes", () => {
    const baseUrl = "http://10.1.2.3:8800";
    const bifrost = JSON.parse(
      exportModels("bifrost", exported, { ...exportOptions, baseUrl }).text,
    ) as object;
    expect(bifrost).toMatchObject({ network_config: { allow_private_network: true } });
    const { notes } = exportModels("portkey", exported, { ...exportOptions, baseUrl });
    expect(notes.join()).toContain("TRUSTED_CUSTOM_HOSTS=10.1.2.3");
    expect(() => exportModels("cloudflare", exported, { ...exportOptions, baseUrl })).toThrow(
      "by https only",
    );
    const envoy = exportModels("envoy", exported, { ...exportOptions, baseUrl }).text;
    expect(envoy).toContain("port: 8800");
    expect(envoy).not.toContain("BackendTLSPolicy");
  });
});

it.each(["Byom", "a b", "-x", "x-", ""])("the name %j is refused", (name) => {
  expect(() => exportModels("kong", exported, { ...exportOptions, name })).toThrow("is no name");
});

it.each(["A B", "1A", "A;rm", ""])("the variable %j is refused", (keyEnv) => {
  expect(() => exportModels("cloudflare", exported, { ...exportOptions, keyEnv })).toThrow(
    "no environment variable",
  );
});

it("a text that looks like another YAML type stays a text", () => {
  const values = {
    a: "no",
    b: "1.5",
    c: "null",
    d: "- x",
    e: "a: b",
    f: "",
    g: "x #y",
    h: "07:30",
    i: "~",
    j: "line\nbreak",
    k: `it's "so"`,
    l: "back\\slash",
  };
  expect(parse(renderYaml(values))).toEqual(values);
  expect(parse(renderYaml(values), { version: "1.1" })).toEqual(values);
});

it("a number and a template survive the readers that take them next: Python's YAML, and decK", () => {
  expect(renderYaml({ cost: 6e-7, other: 1.5e-7 })).toBe("cost: 6.0e-7\nother: 1.5e-7\n");
  const { text } = exportModels("kong", exported, exportOptions);
  expect(text).toContain(`'Bearer \${{ env "DECK_BYOM_API_KEY" }}'`);
});

it("lists and maps in each other keep their shape", () => {
  const value = { a: [{ b: [1, [2, 3]], c: {} }, [], "x"], d: { e: { f: [{ g: null }] } } };
  expect(parse(renderYaml(value))).toEqual(value);
});

it("a body for the shell arrives as it is, with the secret put in and nothing run", () => {
  const body = { text: `it's $(id) \`id\` "x" \\ $HOME`, key: shellVariable("KEY") };
  const { stdout } = spawnSync("sh", ["-c", `printf %s ${shellJson(body)}`], {
    env: { KEY: "byom_1" },
    encoding: "utf8",
  });
  expect(JSON.parse(stdout)).toEqual({ text: body.text, key: "byom_1" });
});
