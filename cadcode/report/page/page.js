// The table: sorting, searching, and a dialog with one part.
"use strict";

const body = document.querySelector("tbody"), heads = [...document.querySelectorAll("th")];
const dialog = document.querySelector("dialog"), within = selector => dialog.querySelector(selector);
const LINK = "#part="; // a page opened at #part=sub/name.stl shows that part
let viewer = null, shown = null;

heads.forEach((head, column) => head.onclick = () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[column].dataset.value ?? "";
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    return up ? order : -order;
  };
  body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
});

document.querySelector("input").oninput = event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of body.rows) row.hidden = !row.dataset.name.includes(wanted);
};

// Only now is a mesh unpacked, and the one before forgotten.
async function open(row) {
  shown?.classList.remove("shown");
  shown = row;
  row.classList.add("shown");
  if (!dialog.open) dialog.showModal();
  history.replaceState(null, "", LINK + row.id);
  within("h2").textContent = row.querySelector("b").textContent;
  within("header span").textContent = row.querySelector("small").textContent;
  within("pre").innerHTML = row.querySelector("pre")?.innerHTML ?? "There is no program.";
  within("dl").replaceChildren(...heads.slice(2, -1).flatMap((head, i) => {
    const [name, value] = [document.createElement("dt"), document.createElement("dd")];
    [name.textContent, value.textContent] = [head.textContent, row.cells[i + 2].textContent || "none"];
    return [name, value];
  }));
  const drawn = await draw(row.querySelector("script")?.textContent);
  if (shown !== row) return;
  const picture = row.querySelector("img");
  within("canvas").hidden = !drawn;
  within("section > img").hidden = drawn || !picture;
  if (picture) within("section > img").src = picture.src;
  within(".legend").hidden = !drawn || !row.dataset.largest;
  within(".legend b").textContent = row.dataset.largest;
  within(".label + .label").hidden = !row.dataset.largest;
  dialog.dataset.drawn = drawn ? "3D" : picture ? "picture" : "nothing";
}

async function draw(mesh) {
  if (!mesh || typeof THREE === "undefined") return false;
  within("canvas").hidden = false;
  try {
    viewer ??= new Viewer(within("canvas"));
    await viewer.show(mesh);
    return true;
  } catch (error) { // no WebGL, or no DecompressionStream: there still is the picture
    console.warn(error);
    return false;
  }
}

function step(by) {
  const rows = [...body.rows].filter(row => !row.hidden), next = rows[rows.indexOf(shown) + by];
  if (next) open(next);
}

body.onclick = event => {
  const button = event.target.closest("button");
  if (button) open(button.closest("tr"));
};
dialog.onclose = () => {
  history.replaceState(null, "", "#part");
  shown.scrollIntoView({ block: "nearest" });
};
dialog.onkeydown = event => {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") step(event.key === "ArrowLeft" ? -1 : 1);
};
within(".before").onclick = () => step(-1);
within(".after").onclick = () => step(1);
within(".close").onclick = () => dialog.close();
const stops = [0, 0.33, 0.67, 1].map(share => `rgb(${colourOf(share * 255).map(value => Math.round(value * 255))})`);
within(".legend i").style.background = `linear-gradient(to right, ${stops})`;
if (location.hash.startsWith(LINK)) {
  const linked = document.getElementById(location.hash.slice(LINK.length));
  if (linked) open(linked);
}
