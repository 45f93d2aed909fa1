export { coerceInput } from "./coerce-input.ts";
export { createSchema } from "./create-schema.ts";
export { readImageAnswer } from "./image-answer.ts";
export type { ImageAnswer } from "./image-answer.ts";
export type { CreateSchemaOptions, PredictorSchema } from "./create-schema.ts";
export type { ReadFile } from "./repository.ts";
export { validateInput } from "./validate-input.ts";
export type { InputProblem } from "./validate-input.ts";
export type { JsonValue } from "./value.ts";
