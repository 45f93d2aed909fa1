import fc from "fast-check";
import { expect, test } from "vitest";
import { readBundledTable } from "../../../../builder/compatibility/read-table.ts";
import { resolveGpu, type GpuResolution } from "../../../../builder/compatibility/resolve-gpu.ts";
import { loadConfig } from "../../../../builder/index.ts";
import { configOf, writeRepo } from "../repo.ts";

const table = await readBundledTable();

interface Asked {
  readonly packages?: readonly string[];
  readonly cuda?: string;
  readonly cudnn?: string;
  readonly python?: string;
  readonly run?: readonly string[];
  readonly target?: { readonly gpu?: string; readonly driver?: string };
}

async function resolve(asked: Asked): Promise<GpuResolution> {
  const { packages = [], cuda, cudnn, python = "3.11", run = [], target } = asked;
  const config = await configOf(
    [
      "build:",
      `  python_version: "${python}"`,
      "  gpu: true",
      ...(cuda === undefined ? [] : [`  cuda: "${cuda}"`]),
      ...(cudnn === undefined ? [] : [`  cudnn: "${cudnn}"`]),
      `  python_packages: ${JSON.stringify(packages)}`,
      `  run: ${JSON.stringify(run)}`,
      "run: predict.py:P",
    ].join("\n"),
  );
  return resolveGpu({ config, table, ...(target && { target }) });
}

/** CUDA, the end of the index, and the base where it is not a plain Python image. */
function summary(resolution: GpuResolution): string {
  const index = resolution.packageIndex?.value.split("/").at(-1) ?? "pypi";
  const base = resolution.toolkit?.tag.value ?? "python";
  return `${resolution.framework?.value ?? "none"} | ${resolution.cuda?.value} | ${index} | ${base}`;
}

test.each([
  // [packages, cuda, what comes of it]
  [["torch==1.7.1"], undefined, "torch 1.7.1 | 11.0 | cu110 | python"],
  [["torch==1.8.1+cu111"], undefined, "torch 1.8.1 | 11.1 | cu111 | python"],
  [["torch==1.12.1"], "11.3", "torch 1.12.1 | 11.3 | cu113 | python"],
  [["torch==1.13.0"], "11.4", "torch 1.13.0 | 11.6 | cu116 | python"],
  [["torch==1.13.1"], undefined, "torch 1.13.1 | 11.7 | pypi | python"],
  [["torch==2.0.1"], "11.8", "torch 2.0.1 | 11.8 | cu118 | python"],
  [["torch==2.1.0"], "12.1", "torch 2.1.0 | 12.1 | pypi | python"],
  [["torch == 2.5.1"], undefined, "torch 2.5.1 | 12.4 | pypi | python"],
  [["torch===2.5.1+cu121"], undefined, "torch 2.5.1 | 12.1 | cu121 | python"],
  [["torch>=2.4,<2.6"], undefined, "torch 2.5.1 | 12.4 | pypi | python"],
  [["torch~=2.4.0"], undefined, "torch 2.4.1 | 12.1 | pypi | python"],
  [["torch==2.9.1"], undefined, "torch 2.9.1 | 12.8 | pypi | python"],
  [["torch==2.12.0"], undefined, "torch 2.12.0 | 13.0 | pypi | python"],
  [["torch==2.99.0"], undefined, "torch 2.99.0 | 13.0 | pypi | python"],
  [
    ["--extra-index-url https://download.pytorch.org/whl/cu118", "torch==2.1.0"],
    undefined,
    "torch 2.1.0 | 11.8 | pypi | python",
  ],
  [
    ["https://download.pytorch.org/whl/cu121/torch-2.2.0%2Bcu121-cp311-cp311-linux_x86_64.whl"],
    undefined,
    "torch 2.2.0 | 12.1 | cu121 | python",
  ],
  [
    ["tensorflow==2.16.1"],
    undefined,
    "tensorflow 2.16.1 | 12.3 | pypi | 12.3.2-cudnn9-runtime-ubuntu22.04",
  ],
  [["tensorflow[and-cuda]==2.17.0"], undefined, "tensorflow 2.17.0 | 12.3 | pypi | python"],
  [["essentia-tensorflow==2.1b6"], undefined, "none | undefined | pypi | python"],
  [["jax[cuda12]==0.6.0"], undefined, "jax 0.6.0 | 12.9 | pypi | python"],
  [["onnxruntime-gpu"], "11.8", "none | 11.8 | pypi | 11.8.0-cudnn8-runtime-ubuntu22.04"],
  [["numpy"], "12.6", "none | 12.6 | pypi | 12.6.3-cudnn-runtime-ubuntu22.04"],
  [["numpy"], "11.8.2", "none | 11.8 | pypi | 11.8.0-cudnn8-runtime-ubuntu22.04"],
  [["numpy"], "10.2", "none | 10.2 | pypi | 11.0.3-cudnn8-runtime-ubuntu20.04"],
  [
    ["torch==2.5.1", "flash-attn==2.7.4"],
    undefined,
    "torch 2.5.1 | 12.4 | pypi | 12.4.1-cudnn-devel-ubuntu22.04",
  ],
] as const)("%j with CUDA %s", async (packages, cuda, expected) => {
  const asked = cuda === undefined ? { packages } : { packages, cuda };
  expect(summary(await resolve(asked))).toBe(expected);
});

test("jax says by its extra which CUDA it brings, and none without one", async () => {
  const { cuda } = await resolve({ packages: ["jax[cuda12]==0.6.0"] });
  expect(cuda).toEqual({ value: "12.9", reason: "cog.yaml:4 jax[cuda12]" });
  expect((await resolve({ packages: ["jax"] })).cuda).toBeUndefined();
});

test("a torch that only a command installs decides, and byom leaves the command's indexes alone", async () => {
  const run = ["pip install torch==2.4.1 --index-url https://download.pytorch.org/whl/cu121"];
  const resolution = await resolve({ run });
  expect(resolution.framework).toEqual({ value: "torch 2.4.1", reason: "cog.yaml:5" });
  expect(resolution.packageIndex).toBeUndefined();
});

test("a command that compiles needs the whole toolkit, and the plan says which", async () => {
  const run = ["cd /tmp && TORCH_CUDA_ARCH_LIST=9.0 python setup.py install"];
  const { toolkit } = await resolve({ packages: ["torch==2.5.1"], run });
  expect(toolkit?.tag).toEqual({
    value: "12.4.1-cudnn-devel-ubuntu22.04",
    reason: "cog.yaml:5 compiles",
  });
});

test.each<[string, Asked, string, RegExp, RegExp]>([
  [
    "a version that the table does not know",
    { packages: ["torch==2.99.0"] },
    "build.python_packages[0]",
    /torch 2\.99\.0 is not in the compatibility table/,
    /compat update/,
  ],
  [
    "a torch without wheels for this Python",
    { packages: ["torch==2.0.1"], python: "3.12" },
    "build.python_packages[0]",
    /no wheel for Python 3\.12/,
    /python_version: "3\.11", or write torch==2\.2\.0/,
  ],
  [
    "a CUDA that this torch was never built for",
    { packages: ["torch==2.9.0"], cuda: "12.4" },
    "build.cuda",
    /no wheels for CUDA 12\.4/,
    /cuda: "12\.6"/,
  ],
  [
    "a CUDA that only an older torch was built for",
    { packages: ["torch"], cuda: "12.1" },
    "build.cuda",
    /no wheels for CUDA 12\.1/,
    /torch==2\.5\.1, the newest for CUDA 12\.1/,
  ],
  [
    "a local version that contradicts cuda",
    { packages: ["torch==2.1.0+cu121"], cuda: "11.8" },
    "build.cuda",
    /contradicts torch's 12\.1/,
    /cuda: "12\.1"/,
  ],
  [
    "a torchvision of another torch",
    { packages: ["torch==2.5.1", "torchvision==0.19.0"] },
    "build.python_packages[1]",
    /torchvision 0\.19\.0 does not belong to torch 2\.5\.1/,
    /torchvision==0\.20\.1/,
  ],
  [
    "two pins of torch",
    { packages: ["torch==2.5.1", "torch==2.4.0"] },
    "build.python_packages[1]",
    /pinned twice: 2\.5\.1 and 2\.4\.0/,
    /keep one/,
  ],
  [
    "a cuDNN that no image has",
    { packages: ["onnxruntime-gpu"], cuda: "12.4", cudnn: "8" },
    "build.cudnn",
    /cuDNN 9, not 8/,
    /cudnn: "9"/,
  ],
  [
    "jax for the CPU",
    { packages: ["jax==0.6.0"] },
    "build.python_packages[0]",
    /runs on the CPU/,
    /jax\[cuda12\]==0\.6\.0/,
  ],
])("%s is a warning at its line, and never a dead end", async (_, asked, key, message, hint) => {
  const { problems } = await resolve(asked);
  const [problem, ...others] = problems;
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ severity: "warning", key, line: expect.any(Number) });
  expect(problem?.message).toMatch(message);
  expect(problem?.hint).toMatch(hint);
});

test.each<[string, Asked, RegExp, RegExp]>([
  [
    "torch older than the GPU",
    { packages: ["torch==1.13.1"], target: { gpu: "h100" } },
    /torch 1\.13\.1 has no code for h100 \(compute capability 9\.0\)/,
    /torch==2\.0\.1/,
  ],
  [
    "wheels older than the GPU",
    { packages: ["torch==2.7.0"], target: { gpu: "NVIDIA GeForce RTX 5090" } },
    /CUDA 12\.6 has no code for NVIDIA GeForce RTX 5090/,
    /cuda: "12\.8"/,
  ],
  [
    "a GPU older than the wheels",
    { packages: ["torch==2.13.0"], target: { gpu: "v100" } },
    /CUDA 13\.0 has no code for v100 .* any more/,
    /below 13\.0/,
  ],
  [
    "a driver older than CUDA",
    { packages: ["torch==2.11.0"], target: { driver: "535.104.05" } },
    /CUDA 13\.0 needs driver 580\.65\.06 or newer, the target has 535\.104\.05/,
    /cuda: "12\.9"/,
  ],
])("%s fails before the build, with what to write", async (_, asked, message, hint) => {
  const { problems } = await resolve(asked);
  expect(problems).toEqual([
    expect.objectContaining({
      severity: "error",
      line: expect.any(Number),
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    }),
  ]);
});

test.each([
  ["H100 80GB HBM3", "535.104.05", "torch==2.5.1"],
  ["NVIDIA A10G", "470.57", "torch==1.13.1"],
  ["T4", "580.65.06", "torch==2.15.0"],
])("%s with driver %s runs %s", async (gpu, driver, torch) => {
  const python = torch.startsWith("torch==2") ? "3.11" : "3.10";
  const { problems } = await resolve({ packages: [torch], python, target: { gpu, driver } });
  expect(problems).toEqual([]);
});

test("a GPU that nobody knows is said to be unchecked", async () => {
  const { problems } = await resolve({ packages: ["torch==2.5.1"], target: { gpu: "x9000" } });
  expect(problems).toEqual([expect.objectContaining({ severity: "warning", line: 3 })]);
});

test("whatever packages, CUDA and commands a repo names: a resolution, and a line with every problem", async () => {
  const version = fc.constantFrom(
    "==2.5.1",
    "==1.7",
    "==9",
    ">=2",
    "~=2.1.0",
    "!=2.*",
    "===2.5.1+cu121",
    "==x",
    "",
  );
  const name = fc.constantFrom(
    "torch",
    "Torch[all]",
    "torchvision",
    "tensorflow",
    "jax",
    "cupy_cuda12x",
    "flash-attn",
  );
  const requirement = fc.oneof(
    fc.tuple(name, version).map((parts) => parts.join("")),
    fc.constantFrom(
      "--extra-index-url https://x/whl/cu121",
      "-f",
      "torch @ https://x/torch-2.0.0+cu118-x.whl",
      "torch;a",
    ),
    fc.string(),
  );
  const command = fc.oneof(
    requirement.map((text) => `pip install ${text}`),
    fc.string(),
  );
  const asked = fc.record({
    python_version: fc.constantFrom("3.8", "3.10", "3.12", "3.99"),
    gpu: fc.constant(true),
    cuda: fc.option(fc.oneof(fc.constantFrom("11.8", "12.1.1", "99.9", "0.0"), fc.string()), {
      nil: undefined,
    }),
    cudnn: fc.option(fc.oneof(fc.constantFrom("8", "9.1"), fc.string()), { nil: undefined }),
    python_packages: fc.array(requirement, { maxLength: 6 }),
    run: fc.array(command, { maxLength: 3 }),
  });
  const directory = writeRepo({ "predict.py": "" });
  const { writeFileSync } = await import("node:fs");
  await fc.assert(
    fc.asyncProperty(asked, async (build) => {
      writeFileSync(
        `${directory}/cog.yaml`,
        JSON.stringify({ build, run: "predict.py:P" }, undefined, 1),
      );
      const { config, problems } = await loadConfig({ directory });
      const target = { gpu: "h100", driver: "535" };
      const found = config === undefined ? [] : resolveGpu({ config, table, target }).problems;
      for (const problem of [...problems, ...found]) expect(problem.line).toBeGreaterThanOrEqual(1);
    }),
    { numRuns: Number(process.env["BYOM_PROPERTY_RUNS"] ?? 300) },
  );
}, 120_000);
