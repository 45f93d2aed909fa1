import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";

import type { DeploySettings, OpenApiDocument } from "../builder/index.ts";
import { checkChatTemplate } from "../gateway/index.ts";
import { UsageError } from "./errors.ts";

type Mapping = NonNullable<DeploySettings["mapping"]>;

/**
 * byom.yaml's `mapping` as a version's card holds it: a template's file read, everything checked before a build.
 * @throws UsageError when the template is broken or an input is named that the model does not have
 */
export async function readMapping(options: {
  readonly mapping: Mapping;
  readonly directory: string;
  /** The model's schema, where it is known before the build. */
  readonly document: OpenApiDocument | undefined;
  readonly signal: AbortSignal;
}): Promise<Mapping> {
  const { mapping, directory, document, signal } = options;
  checkInputs(mapping, document);
  const { chatTemplate } = mapping;
  if (chatTemplate === undefined) return mapping;
  const template = chatTemplate.startsWith("@")
    ? await readFile(resolve(directory, chatTemplate.slice(1)), { encoding: "utf8", signal })
    : chatTemplate;
  try {
    checkChatTemplate(template);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `mapping.chat_template: ${reason}`,
      "in byom.yaml: a bundled name, Jinja text, or @ and the file that has it",
    );
  }
  return { ...mapping, chatTemplate: template };
}

function checkInputs(mapping: Mapping, document: OpenApiDocument | undefined): void {
  const known = inputNames(document);
  if (known === undefined) return;
  for (const [name, input] of Object.entries(mapping.inputs ?? {})) {
    if (known.includes(input)) continue;
    throw new UsageError(
      `mapping.inputs.${name}: the model has no input ${input}`,
      `in byom.yaml: one of ${known.join(", ")}`,
    );
  }
}

const inputSchema = z.object({
  components: z.object({
    schemas: z.object({ Input: z.object({ properties: z.record(z.string(), z.unknown()) }) }),
  }),
});

function inputNames(document: OpenApiDocument | undefined): readonly string[] | undefined {
  const parsed = inputSchema.safeParse(document);
  return parsed.success ? Object.keys(parsed.data.components.schemas.Input.properties) : undefined;
}
