// Two layers of a run on one map, with a divider between them.
import { showDates } from "./dates.js";
import { Divider } from "./divider.js";
import { Reading } from "./reading.js";

const find = (id) => document.getElementById(id);
const SIDES = ["left", "right"];
const DEEPEST = 20;

export function showCompare(layers) {
  find("compare").hidden = false;
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const map = makeMap(layers);
  const shown = {}; // by side: the layer's facts and its tiles

  // The scene lies under both sides while classes are not opaque: they mix with what they are of
  const ground = byName.has("scene") ? tilesOf(byName.get("scene"), "tilePane") : null;
  const divider = new Divider(find("divider"), map, SIDES.map((side) => map.createPane(side)));
  const reading = new Reading(map, layers.filter((layer) => layer.legend));

  function choose(side, name) {
    shown[side]?.tiles.remove();
    const layer = byName.get(name);
    shown[side] = { layer, tiles: tilesOf(layer, side).addTo(map) };
    find(`${side}-tag`).textContent = titleOf(layer);
    fade();
    showLegend(SIDES.flatMap((other) => shown[other]?.layer.legend ?? []));
    reading.mark(SIDES.map((other) => shown[other]?.layer.name));
    divider.name(SIDES.map((other) => shown[other]?.layer.title));
  }

  function fade() {
    const percent = Number(find("opacity").value);
    find("percent").textContent = `${percent} %`;
    if (percent < 100) ground?.addTo(map);
    else ground?.remove();
    for (const { layer, tiles } of Object.values(shown)) tiles.setOpacity(layer.legend ? percent / 100 : 1);
  }

  find("opacity").addEventListener("input", fade);
  const first = { left: layers[0], right: layers.find(({ name }) => name.startsWith("map-")) ?? layers.at(-1) };
  for (const side of SIDES) {
    const select = find(side);
    select.append(...layers.map(({ name, title }) => new Option(title, name)));
    select.value = first[side].name;
    select.addEventListener("change", () => {
      choose(side, select.value);
      dates.follow(shown);
    });
    choose(side, select.value);
  }
  const dates = showDates(layers, (side, name) => {
    find(side).value = name;
    choose(side, name);
  });
  dates.follow(shown);
}

// A map says how much of it lies outside its model's area of applicability, where that is known
const titleOf = ({ title, outside_share: share }) =>
  share == null ? title : `${title}, ${(100 * share).toFixed(1)} % outside`;

function makeMap(layers) {
  const map = L.map("map", { attributionControl: false, maxZoom: DEEPEST, zoomSnap: 0.25 });
  L.control.scale({ imperial: false }).addTo(map);
  const all = layers.map((layer) => corners(layer)).reduce((sum, bounds) => sum.extend(bounds));
  map.fitBounds(all);
  map.setMaxBounds(all.pad(1));
  return map;
}

// Bounds across the 180th meridian end at a longitude below their first: the map goes on beyond 180
const corners = ({ bounds: [west, south, east, north] }) =>
  L.latLngBounds([south, west], [north, east < west ? east + 360 : east]);

function tilesOf(layer, pane) {
  return L.tileLayer(`/tiles/${encodeURIComponent(layer.name)}/{z}/{x}/{y}.png`, {
    pane,
    bounds: corners(layer),
    maxNativeZoom: layer.max_zoom,
    maxZoom: DEEPEST,
    className: layer.legend ? "classes" : "",
  });
}

function showLegend(entries) {
  const byCode = new Map(entries.map((entry) => [`${entry.code} ${entry.name}`, entry]));
  const sorted = [...byCode.values()].sort((a, b) => a.code - b.code);
  find("legend").replaceChildren(...sorted.map(({ name, colour }) => {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = colour;
    item.append(swatch, name);
    return item;
  }));
}
