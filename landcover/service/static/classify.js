// Drop an image, see its class and probabilities.
import { contentOf } from "./answers.js";

const find = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

const PICTURE = ["B02", "B03", "B04"]; // the bands of a JPEG or PNG

let asked = 0; // the last image dropped wins, whichever answer comes first
let picture = null;

export function showClassify(bands) {
  find("classify").hidden = false;
  if (!bands.every((band) => PICTURE.includes(band))) {
    find("kinds").textContent = `GeoTIFF with bands ${bands.join(", ")}`;
  }
  find("file").addEventListener("change", (event) => take(event.target.files));
  const drop = find("drop");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
  // A near miss would make the browser leave the page and open the image
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => event.preventDefault());
  }
}

async function take(files) {
  const file = files[0];
  if (!file) return;
  const turn = ++asked;
  show(file);
  const answer = await classify(file).catch((error) => ({ problem: error.message }));
  if (turn !== asked) return;
  find("drop").classList.remove("busy");
  find("file").value = ""; // the same file can be chosen again
  if (answer.problem) complain(answer.problem);
  else tell(answer, file.name);
}

async function classify(file) {
  const form = new FormData();
  form.append("file", file);
  return contentOf(await fetch("/classify", { method: "POST", body: form }));
}

function show(file) {
  if (picture) URL.revokeObjectURL(picture);
  picture = URL.createObjectURL(file);
  const preview = find("preview");
  preview.onload = () => { preview.hidden = false; };
  preview.onerror = () => { preview.hidden = true; }; // browsers show no GeoTIFF
  preview.src = picture;
  preview.alt = file.name;
  find("hint").textContent = file.name;
  find("drop").classList.add("busy");
}

function complain(problem) {
  find("problem").textContent = problem;
  find("problem").hidden = false;
  find("answer").hidden = true;
}

function tell(answer, name) {
  find("problem").hidden = true;
  find("answer").hidden = false;
  find("type").textContent = answer.Type;
  find("share").textContent = percent(answer.probabilities[answer.Type]);
  find("image-name").textContent = [name, ...answer.notes].join("; ");
  find("model").textContent = answer.model;
  const ranked = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  find("bars").replaceChildren(...ranked.map(([type, share]) => bar(type, share)));
}

function bar(type, share) {
  const item = document.createElement("li");
  const [label, value, track, length] = ["span", "span", "div", "i"].map((tag) => document.createElement(tag));
  label.textContent = type;
  value.textContent = percent(share);
  value.className = "value";
  track.className = "bar";
  length.style.width = `${100 * share}%`;
  track.append(length);
  item.append(label, value, track);
  return item;
}
