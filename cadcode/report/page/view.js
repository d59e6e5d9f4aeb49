// Reads the views that view.py writes and draws them: input left, result right, one camera for both.
"use strict";

const GRID = 65535; // steps along the longest side
const COLOURS = [[0.80, 0.82, 0.84], [0.98, 0.82, 0.36], [0.93, 0.45, 0.15], [0.65, 0.05, 0.10]]; // near to far
const ALONE = [0.78, 0.78, 0.80]; // an input without a result

async function inflated(base64) {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = new Uint16Array(await new Response(stream).arrayBuffer());
  for (let i = 1; i < data.length; i++) data[i] += data[i - 1];
  return data;
}

function shapesIn(data) {
  let at = 1;
  const take = count => data.subarray(at, at += count);
  const shapes = [];
  while (at < data.length) {
    const [vertices, faces, colours] = take(3);
    const [x, y, z] = [take(vertices), take(vertices), take(vertices)];
    const [a, b, c] = [take(faces), take(faces), take(faces)];
    const points = Array.from(x, (_, i) => [x[i], y[i], z[i]]);
    const triangles = Array.from(a, (_, i) => [a[i], b[i], c[i]]);
    shapes.push({ points, triangles, colours: take(colours), edge: data[0] });
  }
  return shapes;
}

// As `split` of view.py: halve triangles at their longest edge until none is longer than `edge`.
function split(points, triangles, edge) {
  const all = [...points], done = [];
  const squared = (i, j) => all[i].reduce((sum, value, axis) => sum + (value - all[j][axis]) ** 2, 0);
  while (triangles.length) {
    const middles = new Map(), next = [];
    for (const triangle of triangles) {
      const sides = triangle.map((corner, i) => squared(corner, triangle[(i + 1) % 3]));
      const first = sides.indexOf(Math.max(...sides));
      if (sides[first] <= edge ** 2) {
        done.push(triangle);
        continue;
      }
      const [a, b, c] = [0, 1, 2].map(i => triangle[(first + i) % 3]);
      const key = Math.min(a, b) * 2 ** 26 + Math.max(a, b);
      if (!middles.has(key)) {
        middles.set(key, all.length);
        all.push(all[a].map((value, axis) => (value + all[b][axis]) / 2));
      }
      const middle = middles.get(key);
      next.push([a, middle, c], [middle, b, c]);
    }
    triangles = next;
  }
  return [all, done];
}

function colourOf(value) {
  const place = value / 255 * (COLOURS.length - 1), below = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[below].map((from, i) => from + (COLOURS[below + 1][i] - from) * (place - below));
}

function objectOf(shape, coloured) {
  const [points, triangles] = split(shape.points, shape.triangles, shape.edge);
  if (points.length !== shape.colours.length) throw new Error("colours do not belong to this mesh");
  const attribute = rows => new THREE.Float32BufferAttribute(rows.flat(), 3);
  const position = attribute(points.map(point => point.map(value => value / GRID)));
  const geometry = new THREE.BufferGeometry().setAttribute("position", position);
  geometry.setAttribute("color", attribute(Array.from(shape.colours, value => coloured ? colourOf(value) : ALONE)));
  if (!triangles.length) return new THREE.Points(geometry, new THREE.PointsMaterial({ size: 3, vertexColors: true }));
  geometry.setIndex(triangles.flat());
  const surface = new THREE.MeshPhongMaterial({
    vertexColors: true, flatShading: true, shininess: 8, side: THREE.DoubleSide,
    polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1,
  });
  const coarse = new THREE.BufferGeometry().setAttribute("position", position).setIndex(shape.triangles.flat());
  const ink = new THREE.LineBasicMaterial({ color: 0x333333 });
  return new THREE.Mesh(geometry, surface).add(new THREE.LineSegments(new THREE.EdgesGeometry(coarse, 30), ink));
}

// Throws where there is no WebGL.
class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
    this.renderer.setScissorTest(true);
    this.camera = new THREE.OrthographicCamera(-1, 1, 1, -1, -10, 10);
    this.light = new THREE.DirectionalLight(0xffffff, 0.75);
    this.camera.add(this.light);
    this.light.position.set(-0.35, 0.45, 0.82);
    this.scenes = [];
    this.controls = new THREE.TrackballControls(this.camera, canvas);
    Object.assign(this.controls, { rotateSpeed: 3, staticMoving: true, keys: [] });
    this.controls.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(canvas);
    const turn = () => {
      if (canvas.offsetParent) this.controls.update();
      requestAnimationFrame(turn);
    };
    turn();
  }

  async show(base64) {
    const shapes = shapesIn(await inflated(base64));
    this.scenes.forEach(scene => scene.traverse(one => { one.geometry?.dispose(); one.material?.dispose(); }));
    this.scenes = shapes.map(shape => {
      const scene = new THREE.Scene().add(new THREE.AmbientLight(0xffffff, 0.45), objectOf(shape, shapes.length > 1));
      scene.background = new THREE.Color(0xffffff);
      return scene;
    });
    const box = new THREE.Box3();
    this.scenes.forEach(scene => box.expandByObject(scene));
    this.aim(box);
    this.canvas.dataset.shapes = shapes.length;
    this.canvas.dataset.points = shapes.map(shape => shape.colours.length);
  }

  aim(box) {
    const { center, radius } = box.getBoundingSphere(new THREE.Sphere());
    this.radius = radius;
    this.camera.up.set(0, 0, 1);
    this.camera.position.set(1, 1, 1).add(center);
    this.camera.zoom = 1;
    this.controls.target.copy(center);
    this.resize();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.radius) return;
    this.renderer.setPixelRatio(window.devicePixelRatio);
    this.renderer.setSize(width, height, false);
    const aspect = width / 2 / height, half = this.radius * 1.05 / Math.min(aspect, 1);
    Object.assign(this.camera, { left: -half * aspect, right: half * aspect, top: half, bottom: -half });
    this.camera.updateProjectionMatrix();
    this.controls.handleResize();
    this.controls.update();
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.camera.updateMatrixWorld();
    [0, 1].forEach(side => {
      this.renderer.setViewport(side * width / 2, 0, width / 2, height);
      this.renderer.setScissor(side * width / 2, 0, width / 2, height);
      if (!this.scenes[side]) {
        this.renderer.clear();
        return;
      }
      this.scenes[side].add(this.camera); // the light hangs on it
      this.renderer.render(this.scenes[side], this.camera);
    });
  }
}
