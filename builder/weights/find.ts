import { posix } from "node:path";
import type { PlannedFile } from "../plan/plan.ts";

/** A smaller file is not worth a layer of its own, whatever its name. */
const weightBytesMin = 1024 * 1024;

/** A file of this size must not be read again for an edit of the code, whatever its name. */
const largeFileBytesMin = 64 * 1024 * 1024;

/** File formats of trained parameters, indexes and vocabularies. */
const weightExtensions: ReadonlySet<string> = new Set(
  (
    ".safetensors .bin .gguf .ggml .onnx .onnx_data .pt .pth .pkl .pickle .joblib .ckpt .h5 .hdf5 .keras .npz .npy " +
    ".msgpack .tflite .pb .pdparams .pdiparams .pdmodel .caffemodel .engine .plan .trt .mlmodel .ot .params .model " +
    ".weights .t7 .nemo .faiss .index .ftz .vec .parquet .arrow"
  ).split(" "),
);

/** Text that people write: code, however long. */
const sourceExtensions: ReadonlySet<string> = new Set(
  ".py .pyi .pyx .ipynb .c .cc .cpp .cu .cuh .h .hpp .rs .go .js .mjs .ts .java .sh .md .txt .yaml .yml .toml".split(
    " ",
  ),
);

/** True for a file that becomes part of a weight layer, below the code: large, and seldom changed. */
export function isWeightFile(file: PlannedFile): boolean {
  if (file.linkTarget !== undefined || file.sizeBytes < weightBytesMin) return false;
  const extension = posix.extname(file.path).toLowerCase();
  if (weightExtensions.has(extension)) return true;
  return file.sizeBytes >= largeFileBytesMin && !sourceExtensions.has(extension);
}

/** Splits a repo's files, keeping their order. */
export function splitWeights(files: readonly PlannedFile[]): {
  readonly weights: readonly PlannedFile[];
  readonly code: readonly PlannedFile[];
} {
  return {
    weights: files.filter((file) => isWeightFile(file)),
    code: files.filter((file) => !isWeightFile(file)),
  };
}
