// What every class layer holds under the pointer, or under the ring that shows with the keyboard.
import { contentOf } from "./answers.js";

export class Reading {
  constructor(map, layers) {
    this.rows = new Map(layers.map((layer) => [layer.name, new Row(layer)]));
    document.querySelector("#reading tbody").replaceChildren(...[...this.rows.values()].map((row) => row.element));
    this.place = document.getElementById("place");
    this.asking = false;
    map.on("mousemove click", ({ latlng }) => this.read(latlng));
    const frame = map.getContainer();
    frame.addEventListener("keydown", () => frame.classList.add("keys"));
    map.on("mousemove click", () => frame.classList.remove("keys"));
    map.on("moveend", () => {
      if (frame.classList.contains("keys")) this.read(map.getCenter());
    });
  }

  mark(names) {
    for (const [name, row] of this.rows) row.element.classList.toggle("shown", names.includes(name));
  }

  // One question at a time; the place that the pointer has reached meanwhile is asked for next
  async read(latlng) {
    this.next = latlng.wrap();
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.next) {
        const { lat, lng } = this.next;
        this.next = null;
        const answer = await fetch(`/point?lon=${lng}&lat=${lat}`).then(contentOf).catch(() => null);
        if (answer) this.show(answer);
      }
    } finally {
      this.asking = false;
    }
  }

  show({ lon, lat, classes }) {
    for (const [name, row] of this.rows) row.show(classes[name]);
    this.place.textContent = `${degrees(lat, "N", "S")}, ${degrees(lon, "E", "W")}`;
  }
}

const degrees = (value, above, below) => `${Math.abs(value).toFixed(5)}° ${value < 0 ? below : above}`;

class Row {
  constructor({ title, legend }) {
    this.colours = new Map(legend.map(({ code, colour }) => [code, colour]));
    this.element = document.createElement("tr");
    const [head, found, confidence] = ["td", "td", "td"].map((tag) => document.createElement(tag));
    head.textContent = title;
    found.textContent = "–";
    this.element.append(head, found, confidence);
    Object.assign(this, { found, confidence });
  }

  show(found) {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = found ? this.colours.get(found.code) : "none";
    this.found.replaceChildren(...(found ? [swatch, found.name] : ["–"]));
    const sure = found?.confidence == null ? "" : `${found.confidence} %`;
    this.confidence.textContent = found?.dissimilarity > 100 ? `${sure} (outside)` : sure;
  }
}
