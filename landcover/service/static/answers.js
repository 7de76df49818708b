// What an answer of the service holds. A refusal is told in the service's words or, where it has
// none, by its status: with too many connections open, the server says so in plain text.
export async function contentOf(response) {
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  const found = response.ok ? "an answer that broke off" : `${response.status} ${response.statusText}`.trimEnd();
  throw new Error(content?.detail ?? `the service gave ${found}; try again in a moment`);
}
