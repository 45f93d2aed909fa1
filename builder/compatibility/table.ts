import { z } from "zod";

/** Versions that go together: facts about published packages, images and drivers, as of one day. */
export interface CompatibilityTable {
  readonly format: 1;
  /** `YYYY-MM-DD`: the day on which the facts were collected; the newer of two tables wins. */
  readonly date: string;
  /** Where the facts come from, and which of them were not checked. */
  readonly sources: readonly string[];
  /** Oldest first. */
  readonly torch: readonly TorchRelease[];
  /** Oldest first. */
  readonly tensorflow: readonly TensorflowRelease[];
  readonly cuda: readonly CudaRelease[];
  readonly gpus: readonly Gpu[];
}

export interface TorchRelease {
  readonly version: string;
  readonly torchvision?: string;
  readonly torchaudio?: string;
  /** CUDA versions (`X.Y`) that have wheels of their own at download.pytorch.org, oldest first. */
  readonly cuda: readonly string[];
  /** The CUDA of the wheel on PyPI. */
  readonly pypiCuda: string;
  /** Major version of the cuDNN inside the wheels. */
  readonly cudnn: string;
  readonly pythons: readonly string[];
}

export interface TensorflowRelease {
  readonly version: string;
  readonly cuda: string;
  /** Major version. */
  readonly cudnn: string;
  readonly pythons: readonly string[];
}

/** A minor release of CUDA. */
export interface CudaRelease {
  /** `X.Y`. */
  readonly version: string;
  /** Full version of the newest `nvidia/cuda` image. */
  readonly image: string;
  /** What the tags of its images call cuDNN: `cudnn8`, `cudnn9` or `cudnn`. */
  readonly cudnnTag: string;
  /** Major version of that cuDNN. */
  readonly cudnn: string;
  readonly ubuntus: readonly string[];
  /** Oldest Linux driver that runs it, with CUDA's minor version compatibility. */
  readonly driver: string;
}

export interface Gpu {
  /** Lower case, without the maker's name: `h100`, `rtx 4090`. */
  readonly names: readonly string[];
  /** `X.Y`, such as 9.0. */
  readonly computeCapability: string;
  /** First CUDA that has code for it. */
  readonly cudaMin: string;
  /** First CUDA that has none any more. */
  readonly cudaEnd?: string;
  /** First torch whose wheels have code for it. */
  readonly torchMin: string;
}

const version = z.string().regex(/^\d+(\.\d+)*$/, "expected a version such as 12.4");
const minor = z.string().regex(/^\d+\.\d+$/, "expected MAJOR.MINOR");

export const compatibilityTableSchema: z.ZodType<CompatibilityTable> = z.object({
  format: z.literal(1),
  date: z.iso.date(),
  sources: z.array(z.string().min(1)).min(1),
  torch: z
    .array(
      z.object({
        version,
        torchvision: version.exactOptional(),
        torchaudio: version.exactOptional(),
        cuda: z.array(minor),
        pypiCuda: minor,
        cudnn: version,
        pythons: z.array(minor).min(1),
      }),
    )
    .min(1),
  tensorflow: z
    .array(z.object({ version, cuda: minor, cudnn: version, pythons: z.array(minor).min(1) }))
    .min(1),
  cuda: z
    .array(
      z.object({
        version: minor,
        image: version,
        cudnnTag: z.string().regex(/^cudnn\d*$/),
        cudnn: version,
        ubuntus: z.array(minor).min(1),
        driver: version,
      }),
    )
    .min(1),
  gpus: z.array(
    z.object({
      names: z.array(z.string().min(1)).min(1),
      computeCapability: minor,
      cudaMin: minor,
      cudaEnd: minor.exactOptional(),
      torchMin: version,
    }),
  ),
});
