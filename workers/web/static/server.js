// Questions to the page's own server.

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  const answer = await fetch(`/api/${path}?${query}`);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw Object.assign(new Error(body.error ?? `the page's server answered ${answer.status}`), {
      reading: !!body.reading,
    });
  return body;
}
