"""What every page must be: as wide as its window, named, readable."""

#: Everything that takes a click or a key must have a name that is read out.
_NAMELESS = """() => [
    ...document.querySelectorAll('a, button, input, select, summary, [tabindex="0"], progress, img')
  ]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.alt || e.labels?.length
    || e.querySelector('img[alt]:not([alt=""])')))
  .map((e) => e.outerHTML.slice(0, 120))"""

#: Texts whose contrast with what lies behind them is below 4.5 to 1 (WCAG 1.4.3; 3 to 1 where large).
_FAINT = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const drawn = e.checkVisibility() && !e.closest('.unseen, .skip');
    if (!walker.currentNode.data.trim() || !drawn) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(behind(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) faint.push(`${e.tagName}.${e.className}: ${e.innerText}`);
  }
  return faint;
}"""


def _overflow(page):
    """Pixels by which the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def assert_sound(page):
    """The page fits, everything in it is named and readable, and it says what it is for."""
    assert _overflow(page) <= 0
    assert page.evaluate(_NAMELESS) == []
    assert page.evaluate(_FAINT) == []
    assert page.locator(".notice").is_visible()
    assert "Research use only" in page.locator(".notice").inner_text()
