// Keeps the folder's files, so that the page opens without a network. VERSION and FILES are prepended.
const OWN = `fer ${self.registration.scope} `
const NAME = OWN + VERSION

self.addEventListener("install", (event) =>
  event.waitUntil(caches.open(NAME).then((kept) => kept.addAll(FILES.map((name) => new Request(name, { cache: "reload" }))))))

self.addEventListener("activate", (event) =>
  event.waitUntil(caches.keys().then((names) =>
    Promise.all(names.filter((name) => name.startsWith(OWN) && name !== NAME).map((name) => caches.delete(name))))))

const answer = async (request) => (await (await caches.open(NAME)).match(request, { ignoreSearch: true })) ?? fetch(request)

self.addEventListener("fetch", (event) => event.request.method === "GET" && event.respondWith(answer(event.request)))
