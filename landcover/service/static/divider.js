// The divider: dragged, or moved by the arrow keys, it clips the left pane and the right pane.
const STEPS = { ArrowLeft: -2, ArrowRight: 2, ArrowDown: -2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

export class Divider {
  constructor(handle, map, [left, right]) {
    Object.assign(this, { handle, map, left, right, percent: 50, titles: ["", ""] });
    handle.addEventListener("pointerdown", (event) => this.grab(event));
    handle.addEventListener("keydown", (event) => this.step(event));
    map.on("move zoom resize viewreset", () => this.clip());
    this.move(50);
  }

  name(titles) {
    this.titles = titles;
    this.move(this.percent);
  }

  grab(event) {
    event.preventDefault();
    this.handle.focus({ focusVisible: false });
    this.handle.setPointerCapture(event.pointerId);
    const frame = this.handle.parentElement.getBoundingClientRect();
    const follow = ({ clientX }) => this.move((100 * (clientX - frame.left)) / frame.width);
    this.handle.addEventListener("pointermove", follow);
    this.handle.addEventListener("lostpointercapture",
      () => this.handle.removeEventListener("pointermove", follow), { once: true });
  }

  step(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    this.move(this.percent + STEPS[event.key]);
  }

  move(percent) {
    this.percent = Math.min(100, Math.max(0, percent));
    const whole = Math.round(this.percent);
    this.handle.style.left = `${this.percent}%`;
    this.handle.setAttribute("aria-valuenow", whole);
    this.handle.setAttribute("aria-valuetext", `${whole} % ${this.titles[0]}, ${100 - whole} % ${this.titles[1]}`);
    this.clip();
  }

  clip() {
    // Panes move with the map: what is seen of them is told in their own pixels
    const size = this.map.getSize();
    const from = this.map.containerPointToLayerPoint([0, 0]);
    const to = this.map.containerPointToLayerPoint(size);
    const x = from.x + (size.x * this.percent) / 100;
    this.left.style.clipPath = rectangle(from.x, from.y, x, to.y);
    this.right.style.clipPath = rectangle(x, from.y, to.x, to.y);
  }
}

function rectangle(west, north, east, south) {
  const points = [[west, north], [east, north], [east, south], [west, south]];
  return `polygon(${points.map(([x, y]) => `${x}px ${y}px`).join(", ")})`;
}
