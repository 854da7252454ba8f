
"use strict";

const AT_ONCE = 3;
const REASONS = {
  401: "You are not logged in.",
  412: "A file of this name is already here.",
  423: "It is locked: somebody else is writing it.",
};
const byId = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Show dates in the reader's own time zone. */
function localise() {
  byId("utc").hidden = true;
  for (const time of document.querySelectorAll("time")) {
    time.title = `${time.textContent} UTC`;
    time.textContent = clock.format(new Date(time.dateTime));
  }
  for (const button of document.querySelectorAll("button[data-entry]")) {
    button.hidden = false;
    button.onclick = () => restore(button);
  }
}

/** Return the address of a path below this folder. */
function address(path) {
  return new URL(path.map(encodeURIComponent).join("/"), document.baseURI).href;
}

/** Send a request; it fails with an Error that carries the server's reason and the status. */
function send(method, url, { headers = {}, body = null, progress = null } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const refuse = (reason) => reject(Object.assign(new Error(reason), { status: request.status }));
    request.open(method, url);
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    if (progress) request.upload.onprogress = progress;
    request.onload = () => (request.status >= 200 && request.status < 300 ? resolve(request) : refuse(reason(request)));
    request.onerror = () => refuse("The connection broke off.");
    request.send(body);
  });
}

function hasType(request, type) {
  return (request.getResponseHeader("Content-Type") || "").startsWith(type);
}

function reason(request) {
  return REASONS[request.status] || (hasType(request, "text/plain") && request.responseText.trim()) || `${request.status} ${request.statusText}`;
}

/** Show the folder as it is now, without reloading the page. */
async function refresh() {
  try {
    const answer = await send("GET", location.href.split("#")[0]);
    if (!hasType(answer, "text/html")) throw new Error("A file has taken its place.");
    const table = new DOMParser().parseFromString(answer.responseText, "text/html").querySelector("table");
    document.querySelector("table").replaceWith(document.adoptNode(table));
    localise();
  } catch (error) {
    byId("state").textContent += ` The list could not be refreshed: ${error.message}`;
  }
}

/** Restore an entry of the trash. */
async function restore(button) {
  const name = button.closest("tr").querySelector("bdi").textContent;
  button.disabled = true;
  try {
    await send("POST", new URL(`../davfs-api/trash/${encodeURIComponent(button.dataset.entry)}/restore`, document.baseURI).href);
    byId("state").textContent = `Restored: ${name}.`;
    await refresh();
  } catch (error) {
    byId("state").textContent = `${name} was not restored: ${error.message}`;
    button.disabled = false;
  }
}

/** Uploads: a few at once, each with a row while it runs or after it failed. */
const uploads = { waiting: [], running: 0, done: 0, failed: 0 };

function enqueue(uploadsToDo) {
  if (!uploads.running && !uploads.waiting.length) uploads.done = 0;
  uploads.waiting.push(...uploadsToDo);
  while (uploads.running < AT_ONCE && uploads.waiting.length) void run();
}

async function run() {
  uploads.running += 1;
  while (uploads.waiting.length) {
    const upload = uploads.waiting.shift();
    tell();
    await store(upload);
  }
  uploads.running -= 1;
  tell();
  if (!uploads.running) await refresh();
}

function tell() {
  const { waiting, running, done, failed } = uploads;
  const files = (count) => (count === 1 ? "1 file" : `${count} files`);
  const open = waiting.length + running;
  const ended = [done && `${files(done)} uploaded`, failed && `${files(failed)} not uploaded`].filter(Boolean).join(", ");
  byId("state").textContent = open ? `Uploading: ${files(open)} to go.` : `${ended}.`;
}

/** Upload one file; no other of that name is replaced unless the reader says so. */
async function store(upload) {
  const row = shownRow(upload.path.join("/"));
  const bar = row.appendChild(document.createElement("progress"));
  bar.setAttribute("aria-label", upload.path.at(-1));
  const progress = ({ loaded, total }) => {
    // All bytes have left: until Orthanc has taken the file the bar shows no share.
    if (loaded < total) bar.value = loaded / total;
    else bar.removeAttribute("value");
  };
  const headers = { "Content-Type": "application/octet-stream", ...(upload.replace ? {} : { "If-None-Match": "*" }) };
  try {
    await send("PUT", address(upload.path), { headers, body: upload.file, progress });
    uploads.done += 1;
    row.remove();
  } catch (error) {
    fail(row, bar, error, upload);
  }
}

function shownRow(name) {
  const row = byId("uploads").appendChild(document.createElement("li"));
  row.appendChild(document.createElement("bdi")).textContent = name;
  return row;
}

function fail(row, bar, error, upload) {
  const isThere = error.status === 412;
  const again = document.createElement("button");
  const message = document.createElement("strong");
  uploads.failed += 1;
  message.textContent = error.message;
  again.type = "button";
  again.textContent = isThere ? "Replace it" : "Try again";
  again.onclick = () => {
    uploads.failed -= 1;
    row.remove();
    enqueue([{ ...upload, replace: upload.replace || isThere }]);
  };
  bar.remove();
  row.append(message, again);
}

/** Make the folders that were dropped, parents first, then upload what is in them. */
async function uploadEntries(entries) {
  const found = { folders: [], files: [] };
  for (const entry of entries) await walk(entry, [], found);
  for (const path of found.folders) {
    await send("MKCOL", `${address(path)}/`).catch((error) => {
      if (error.status !== 405) shownRow(path.join("/")).appendChild(document.createElement("strong")).textContent = error.message;
    });
  }
  enqueue(found.files);
  if (!found.files.length) await refresh();
}

async function walk(entry, above, found) {
  const path = [...above, entry.name];
  if (entry.isFile) {
    found.files.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    return;
  }
  found.folders.push(path);
  const reader = entry.createReader();
  const some = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  for (let entries = await some(); entries.length; entries = await some()) {
    for (const each of entries) await walk(each, path, found);
  }
}

function acceptDrops() {
  const over = (is) => document.body.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(false);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    uploadEntries(entries).catch((error) => (byId("state").textContent = `The dropped files cannot be read: ${error.message}`));
  });
}

function offerFolders() {
  const [dialog, name, refusal] = [byId("folder"), byId("name"), byId("refusal")];
  byId("new").onclick = () => {
    name.value = refusal.textContent = "";
    dialog.showModal();
  };
  byId("cancel").onclick = () => dialog.close();
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await send("MKCOL", `${address([name.value])}/`);
      dialog.close();
      await refresh();
    } catch (error) {
      refusal.textContent = error.message;
    }
  };
}

localise();
if (byId("upload")) {
  byId("upload").hidden = false;
  byId("choose").onclick = () => byId("files").click();
  byId("files").onchange = () => {
    enqueue([...byId("files").files].map((file) => ({ file, path: [file.name] })));
    byId("files").value = "";
  };
  acceptDrops();
  offerFolders();
  window.addEventListener("beforeunload", (event) => uploads.running && event.preventDefault());
}
