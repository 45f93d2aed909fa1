/** What a correct value looks like, by dotted key with `[]` for any index: the hint of a wrong type. */
export const exampleLines: Readonly<Record<string, string>> = {
  build: "write `build:` and indent its settings below it",
  "build.python_version": 'write python_version: "3.11"',
  "build.python_requirements": "write python_requirements: requirements.txt",
  "build.python_packages": "write each package on a line of its own, after `- `",
  "build.python_packages[]": 'write - "numpy==1.26.4"',
  "build.system_packages": "write each package on a line of its own, after `- `",
  "build.system_packages[]": "write - ffmpeg",
  "build.run": "write each command on a line of its own, after `- `",
  "build.run[]": "write one command, in quotes when it holds `: ` or ` #`",
  "build.run[].command": "write one command, in quotes when it holds `: ` or ` #`",
  "build.run[].mounts": "write mounts: [{type: secret, id: NAME, target: /run/secrets/NAME}]",
  "build.run[].mounts[].type": "write type: secret; Cog knows no other mount",
  "build.run[].mounts[].id": "name the secret that `--secret` gives",
  "build.run[].mounts[].target": "write the absolute path at which the command reads the secret",
  "build.pre_install": "write each command under build.run, after `- `",
  "build.gpu": "write gpu: true or gpu: false",
  "build.cuda": 'write cuda: "12.4"',
  "build.cudnn": 'write cudnn: "9"',
  "build.sdk_version": 'write sdk_version: "0.23.1"',
  image: "write image: registry.example.com/name",
  predict: "write run: predict.py:Predictor",
  run: "write run: predict.py:Predictor; commands of the build go under build.run",
  train: "write train: train.py:train",
  concurrency: "write concurrency: {max: 4}",
  "concurrency.max": "write a whole number, 1 or more",
  environment: "write each variable as an item: - NAME=value",
  "environment[]": "write - NAME=value",
  weights: "write a list of {name, target, source}",
  // byom.yaml
  model: "write model: owner/name",
  example: "write example: {input: {prompt: hello}}",
  "example.input": "write input: and the inputs below it, as name: value",
  scaling: "write scaling: {idle_timeout: 60s, min: 0, max: 3, concurrency: 1}",
  "scaling.idle_timeout": "write a number with ms, s, m or h, such as 60s",
  setup_timeout: "write a number with ms, s, m or h, such as 5m",
  prediction_timeout: "write a number with ms, s, m or h, such as 30s",
  memory: "write a number with KiB, MiB or GiB, such as 4GiB",
  cpus: "write a number above 0, such as 2 or 0.5",
  "build.dockerfile": "write build: {dockerfile: Dockerfile}",
  snapshot: "write snapshot: true or snapshot: false",
  gpu_snapshot: "write gpu_snapshot: false for cold starts with GPUs",
  gpus: "write gpus: all, or a list of indexes or UUIDs",
  secrets: "write secrets: [HF_TOKEN, {name: LICENSE, setup: true}]",
};

/** Keys of older Cog versions that no Cog reads today, with what to know about them. */
export const deadKeys: Readonly<Record<string, string>> = {
  tests: "it had an effect only in 2025; run tests outside of cog.yaml",
  examples: "a 2021 key; put an example input into byom.yaml under example.input",
  workdir: "a 2021 key; the working directory is always /src",
  name: "a 2021 key; the name is `image:`, or model: in byom.yaml",
  "build.fast": "it had an effect only in 2025; remove it",
  "build.cog_runtime": "it had an effect only in 2025; remove it",
  "build.python_overrides":
    "it had an effect only in 2025; pin the packages in python_requirements",
  "build.architectures": "a 2021 key; write gpu: true or gpu: false",
  "build.python_extra_index_urls":
    "a 2021 key; write --extra-index-url URL as a line of the requirements file",
  "build.python_find_links":
    "a 2021 key; write --find-links URL as a line of the requirements file",
  "build.post_install": "a 2021 key; move the commands to build.run",
  "build.environment_variables": "variables go to the top-level environment: list",
  "build.base_image": "the base image is chosen with --base-image",
  "concurrency.default_target": "Cog reads it nowhere; set scaling.concurrency in byom.yaml",
};

/** Keys that Cog still reads but tells authors to replace. */
export const deprecatedKeys: Readonly<Record<string, string>> = {
  predict: "rename it to run:",
  "build.python_packages":
    "move the lines to a requirements.txt and write python_requirements: requirements.txt",
  "build.pre_install":
    "move the commands to build.run; Cog runs them after it, in spite of the name",
  "concurrency.max": "decorate the method with @cog.concurrent(max=N)",
};
