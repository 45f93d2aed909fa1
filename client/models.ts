/**
 * The models that have types. `byom models types` writes a file that adds an entry per model to this interface; any
 * other model can be called as well, untyped.
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- to be augmented by the written file
export interface AiModels {}
