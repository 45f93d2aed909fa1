// Writes aliases and prints each one's name once it has been kept, until it is killed.
import { openCatalogStore } from "../../../../gateway/catalog/store/catalog-store.ts";

const store = openCatalogStore({ directory: process.argv[2] ?? "" });
for (let index = 0; ; index += 1) {
  store.aliases.set(`alias-${index}`, { model: "a/b" });
  process.stdout.write(`alias-${index}\n`);
  // Gives the pipe its turn.
  await new Promise((resolve) => setImmediate(resolve));
}
