import { defineConfig } from "vitest/config";

/** A build of an environment downloads packages; nothing here waits longer than this. */
const integrationTimeoutMs = 300_000;

const config: ReturnType<typeof defineConfig> = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 20_000,
          // Most of the tests' time is waiting, so that a worker for each core does no harm.
          maxWorkers: "100%",
          // Loading the sources anew for each of the files takes longer than the tests.
          isolate: false,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/scenarios/**/*.test.ts"],
          testTimeout: integrationTimeoutMs,
          hookTimeout: integrationTimeoutMs,
          // One engine and two cores are shared by all of them.
          fileParallelism: false,
          // Real parts under load fail in ways of their own. What passes only at its second try is named at the run's end.
          retry: 1,
        },
      },
    ],
  },
});

export default config;
