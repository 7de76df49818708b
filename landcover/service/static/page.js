// The page: asks what the service holds, and shows the parts that there is something for.
import { showClassify } from "./classify.js";
import { showCompare } from "./compare.js";

async function ask(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.json();
}

const [health, map] = await Promise.all([ask("/health"), ask("/layers")]);
document.getElementById("run").textContent = health.run;
document.title = `landcover: ${health.run}`;
if (health.classifier) showClassify(health.bands);
else document.getElementById("no-classifier").hidden = false;
if (map.layers.length) showCompare(map.layers);
