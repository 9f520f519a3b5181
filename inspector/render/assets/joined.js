// Of the page with several reports: titles that fold what is below them, and where one is.

for (const article of document.querySelectorAll("article[data-report]")) {
  const link = document.querySelector(`nav a[href="#${article.id}"]`);
  const titles = article.querySelectorAll("section > h3");
  const list = make("ol");
  titles.forEach((title, index) => {
    title.id = `${article.id}-${index + 1}`;
    const item = make("li");
    const inner = make("a", title.textContent);
    inner.href = `#${title.id}`;
    item.append(inner);
    list.append(item);
    const button = make("button", title.textContent);
    button.setAttribute("aria-expanded", "true");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      for (const other of title.parentElement.children) if (other !== title) other.hidden = !open;
    });
    title.replaceChildren(button);
  });
  if (titles.length) link.after(list);
}

{
  const visible = new Set();
  const items = new Map();
  for (const link of document.querySelectorAll("nav > ol > li > a")) {
    items.set(link.getAttribute("href").slice(1), link.parentElement);
  }
  const watch = new IntersectionObserver((changes) => {
    for (const change of changes) {
      if (change.isIntersecting) visible.add(change.target.id);
      else visible.delete(change.target.id);
    }
    const first = [...items.keys()].find((id) => visible.has(id));
    for (const [id, item] of items) {
      item.classList.toggle("here", id === first);
      if (id === first) item.firstElementChild.setAttribute("aria-current", "true");
      else item.firstElementChild.removeAttribute("aria-current");
    }
  }, { rootMargin: "-10% 0px -60% 0px" });
  document.querySelectorAll("article[data-report]").forEach((article) => watch.observe(article));
}
