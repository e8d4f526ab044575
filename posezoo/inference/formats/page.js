"use strict";
// The page of `posezoo.inference.formats.page`: one slider moves picture, body and angles.
// Everything that comes from a file is put in as text, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const colours = { left: "#d95f02", right: "#1f78b4", middle: "#6b6b6b", truth: "#2f9e44" };
const at = (id) => document.getElementById(id);
const frames = data.frames;
const images = data.pictures.map((uri) => { const image = new Image(); image.src = uri; return image; });
let now = 0;
let playing = null;

at("title").textContent = data.title;
at("line").textContent = data.line;
at("true-note").textContent = data.has_truth ? ", truth green" : "";
at("true-note").className = "truth";
at("slider").max = Math.max(frames.length - 1, 0);
if (frames.length < 2) { at("play").hidden = at("slider").hidden = true; }
if (data.fps === null) { at("play").hidden = true; }

for (const id of data.ids) {
  const option = document.createElement("option");
  option.value = option.textContent = id;
  at("person").append(option);
}
if (!data.has_2d) {
  at("picture").hidden = true;
  at("space").className = "wide";
}
at("person").parentElement.hidden = data.ids.length < 2;

for (const [name, value] of data.facts) {
  const row = at("facts").insertRow();
  row.insertCell().textContent = name;
  row.insertCell().textContent = value;
}

// Picture with skeletons, on a canvas as large as the picture given.
function drawPicture(frame) {
  const canvas = at("picture").querySelector("canvas");
  const scale = Math.min(1, 1280 / Math.max(frame.width, frame.height));
  canvas.width = Math.max(1, Math.round(frame.width * scale));
  canvas.height = Math.max(1, Math.round(frame.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#f4f4f4";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const image = frame.picture === null ? null : images[frame.picture];
  if (image && image.complete && image.naturalWidth) {
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  } else if (image) {
    image.onload = () => drawPicture(frames[now]);
  }
  const wide = Math.max(2, Math.max(canvas.width, canvas.height) / 250);
  pen.lineCap = "round";
  for (const person of frame.people) {
    const place = person.px.map((p) => p[0] === null ? null : [(p[0] + 0.5) * scale, (p[1] + 0.5) * scale]);
    for (const [a, b, side] of data.bones[person.joint_set]) {
      if (!place[a] || !place[b]) { continue; }
      pen.globalAlpha = 0.35 + 0.65 * Math.min(person.confidence[a] ?? 0, person.confidence[b] ?? 0);
      for (const [colour, width] of [["#ffffff", wide * 1.8], [colours[side], wide]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = width;
        pen.beginPath();
        pen.moveTo(...place[a]);
        pen.lineTo(...place[b]);
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
    const [x, y] = person.box.map((value) => Math.max(0, value * scale));
    pen.font = `${Math.round(wide * 6)}px system-ui, sans-serif`;
    const text = ` ${person.id} `;
    pen.fillStyle = "rgba(0, 0, 0, 0.65)";
    pen.fillRect(x, y, pen.measureText(text).width, wide * 7.5);
    pen.fillStyle = "#ffffff";
    pen.fillText(text, x, y + wide * 6);
  }
}

// Bodies: camera frame (x right, y down, z forward) drawn as x right, z away, y up.
function lines(points, bones, wanted) {
  const [x, y, z] = [[], [], []];
  for (const [a, b, side] of bones) {
    if (wanted !== null && side !== wanted) { continue; }
    for (const p of [points[a], points[b], [null, null, null]]) {
      x.push(p[0]);
      y.push(p[2]);
      z.push(p[1] === null ? null : -p[1]);
    }
  }
  return { x, y, z };
}

function trace(line, colour, name, width) {
  return {
    ...line, type: "scatter3d", mode: "lines", name, line: { color: colour, width },
    hoverinfo: "skip", showlegend: false,
  };
}

function drawBody(frame) {
  const traces = [];
  for (const person of frame.people) {
    if (person.mm === null) { continue; }
    const bones = data.bones[person.joint_set];
    for (const side of ["middle", "left", "right"]) {
      traces.push(trace(lines(person.mm, bones, side), colours[side], side, 7));
    }
    const names = data.joints[person.joint_set];
    traces.push({
      type: "scatter3d", mode: "markers", showlegend: false,
      x: person.mm.map((p) => p[0]), y: person.mm.map((p) => p[2]), z: person.mm.map((p) => p[1] === null ? null : -p[1]),
      marker: { size: 3, color: "#111111" },
      text: names.map((name, j) => `person ${person.id}, ${name}: ${person.mm[j].join(", ")} mm`),
      hoverinfo: "text",
    });
    if (person.truth) { traces.push(trace(lines(person.truth, bones, null), colours.truth, "truth", 4)); }
  }
  const axis = (title, range) => ({
    title: { text: title, font: { size: 11 } }, range, tickfont: { size: 9 },
    backgroundcolor: "#fafafa", showbackground: true, gridcolor: "#dddddd", zeroline: false,
  });
  const [low, high] = data.range;
  const size = high.map((value, k) => value - low[k]);
  const most = Math.max(...size);
  Plotly.react("body", traces, {
    margin: { l: 0, r: 0, t: 0, b: 0 }, uirevision: "kept",
    scene: {
      uirevision: "kept",
      xaxis: axis("x, mm", [low[0], high[0]]),
      yaxis: axis("away, mm", [low[2], high[2]]),
      zaxis: axis("up, mm", [-high[1], -low[1]]),
      aspectmode: "manual",  // all axes alike
      aspectratio: { x: size[0] / most, y: size[2] / most, z: size[1] / most },
      camera: { eye: { x: 0.5, y: -1.7, z: 0.35 } },
    },
  }, { displaylogo: false, responsive: true });
  at("place").textContent = data.place;
}

const dashes = { knee: "solid", hip: "dash", elbow: "dot", shoulder: "dashdot" };
function drawAngles() {
  const angles = Object.entries(data.angles[at("person").value] ?? {});
  const alone = frames.length === 1;  // bars instead of lines
  const mode = data.fps === null ? "markers" : frames.length < 60 ? "lines+markers" : "lines";
  const traces = angles.map(([name, values]) => {
    const [side, joint] = name.split(" ");
    const shared = { name, hovertemplate: `%{y:.0f} degrees<extra>${name}</extra>` };
    if (alone) {
      return { ...shared, type: "bar", x: [name], y: values, marker: { color: colours[side] },
               texttemplate: "%{y:.0f}", showlegend: false };
    }
    return {
      ...shared, x: data.times, y: values, type: "scatter", connectgaps: false, mode,
      marker: { size: 5, color: colours[side] },
      line: { color: colours[side], dash: dashes[joint], width: 1.6 },
    };
  });
  Plotly.react("angles", traces, {
    margin: { l: 48, r: 8, t: 8, b: 38 }, shapes: cursor(),
    hovermode: alone ? "closest" : "x unified",
    xaxis: { title: { text: alone ? "" : data.time_name } },
    yaxis: { title: { text: "degrees" }, range: [0, 185], dtick: 45 },
  }, { displayModeBar: false, responsive: true });
}

function cursor() {
  const x = data.times[now] ?? 0;
  return frames.length < 2 ? [] : [{ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: "#999999", width: 1 } }];
}

function show(number) {
  now = Math.min(Math.max(number, 0), frames.length - 1);
  if (now < 0) { return; }
  const frame = frames[now];
  at("slider").value = now;
  at("label").textContent = frame.label;
  drawPicture(frame);
  drawBody(frame);
  Plotly.relayout("angles", { shapes: cursor() });
  at("warnings").replaceChildren(...frame.people.flatMap((person) => person.warnings.map((text) => {
    const line = document.createElement("li");
    line.textContent = `person ${person.id}: ${text}`;
    return line;
  })));
}

function stop() {
  clearInterval(playing);
  playing = null;
  at("play").textContent = "Play";
}

at("slider").addEventListener("input", (event) => show(Number(event.target.value)));
at("person").addEventListener("change", drawAngles);
at("play").addEventListener("click", () => {
  if (playing !== null) { stop(); return; }
  at("play").textContent = "Stop";
  const begin = performance.now();
  const first = now < frames.length - 1 ? now : 0;
  playing = setInterval(() => {
    const next = first + Math.floor((performance.now() - begin) / 1000 * data.fps);
    if (next > frames.length - 1) { stop(); } else if (next !== now) { show(next); }
  }, 40);
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && event.target.tagName !== "INPUT" && event.target.tagName !== "SELECT") { show(now + step); }
});

drawAngles();
show(0);
