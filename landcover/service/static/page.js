// The page: asks what the service holds, and shows the parts that there is something for.
import { contentOf } from "./answers.js";
import { showClassify } from "./classify.js";
import { showCompare } from "./compare.js";

const [health, map] = await Promise.all(["/health", "/layers"].map(async (path) => contentOf(await fetch(path))));
document.getElementById("run").textContent = health.run;
document.title = `landcover: ${health.run}`;
if (health.classifier) showClassify(health.bands);
else document.getElementById("no-classifier").hidden = false;
if (map.layers.length) showCompare(map.layers);
