// A slider through the dates of a run: it draws a date on the side that shows one, or else on the left.
const find = (id) => document.getElementById(id);

export function showDates(layers, choose) {
  const dates = layers.filter(({ name }) => name.startsWith("date-"));
  if (dates.length < 2) return { follow() {} };
  const slider = find("date");
  slider.max = dates.length - 1;
  find("days").replaceChildren(...dates.map(({ days: [day] }, place) => new Option(day, place)));
  find("dates").hidden = false;
  let side = "left";

  function say() {
    const { days: [day] } = dates[slider.value];
    find("day").textContent = day;
    slider.setAttribute("aria-valuetext", day);
    const maps = layers.filter(({ legend, days }) => legend && days.includes(day)).map(({ title }) => title);
    find("of-day").textContent = maps.length ? `read by: ${maps.join("; ")}` : "";
  }

  slider.addEventListener("input", () => {
    choose(side, dates[slider.value].name);
    say();
  });

  // The slider stands where the menus do
  function follow(shown) {
    side = Object.keys(shown).find((one) => dates.includes(shown[one].layer)) ?? "left";
    const { layer } = shown[side];
    if (dates.includes(layer)) slider.value = dates.indexOf(layer);
    say();
  }

  return { follow };
}
