import { z } from "zod";
import { flagField, mappingField, textField } from "./fields.ts";

/** A secret that byom.yaml names: it is given at run time, by `byom secrets set`. */
export interface NamedSecret {
  readonly name: string;
  /** `setup`: in the environment of setup() too, hence in snapshots. */
  readonly scope: "run" | "setup";
}

export const secretKeys: readonly string[] = ["name", "setup"];

const secretName = textField.pipe(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name such as HF_TOKEN"),
);
const longForm = z.object({ name: secretName, setup: flagField.nullish() });

/** `secrets: [HF_TOKEN, {name: LICENSE, setup: true}]`. */
export const secretsField: z.ZodType<readonly NamedSecret[]> = z
  .array(z.union([secretName, mappingField(longForm)]))
  .transform((secrets) =>
    secrets.map((secret) =>
      typeof secret === "string"
        ? { name: secret, scope: "run" as const }
        : {
            name: secret.name,
            scope: secret.setup === true ? ("setup" as const) : ("run" as const),
          },
    ),
  );
