import { byId, element, fill } from "./dom.js";

const allTasks = "All tasks";

/** The list of models with its search and task filter. */
export function createList({ hrefOf }) {
  const search = byId("search");
  const task = byId("task");
  const list = byId("models");
  const count = byId("count");
  const callable = byId("callable");
  let models = [];
  let current = "";

  function render() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = models.filter((model) => {
      if (callable.checked && !model.isCallable && model.id !== current) return false;
      if (task.value !== allTasks && model.task !== task.value) return false;
      const text = `${model.id} ${model.name} ${model.description} ${model.task}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    count.textContent = countText(found.length, models.length);
    fill(list, found.map(renderItem));
  }

  function renderItem(model) {
    return element(
      "li",
      {},
      element(
        "a",
        {
          class: "model-link",
          href: hrefOf(model.id),
          "aria-current": model.id === current ? "page" : undefined,
        },
        element("span", { class: "model-name" }, model.id),
        element(
          "span",
          { class: "model-note" },
          element("span", { class: "model-task" }, model.task),
          model.description !== "" && [" · ", element("span", {}, model.description)],
        ),
      ),
    );
  }

  search.addEventListener("input", render);
  task.addEventListener("change", render);
  callable.addEventListener("change", render);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());

  return {
    show(next) {
      models = next;
      const names = [...new Set(models.map((model) => model.task))].toSorted((one, other) =>
        one.localeCompare(other),
      );
      const chosen = task.value;
      fill(
        task,
        [allTasks, ...names].map((name) => element("option", { value: name }, name)),
      );
      task.value = names.includes(chosen) ? chosen : allTasks;
      render();
    },
    mark(id) {
      current = id;
      render();
    },
    say(text) {
      models = [];
      fill(list);
      count.textContent = text;
    },
  };
}

function countText(found, all) {
  if (all === 0) return "No model is here yet. `byom push` brings one.";
  if (found === all) return all === 1 ? "1 model" : `${all} models`;
  return found === 0 ? "No model fits. Try fewer words or all tasks." : `${found} of ${all} models`;
}
