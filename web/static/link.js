// A click is counted where somebody looks: a window that is shown, in a browser that no program drives.
"use strict";
if (document.visibilityState === "visible" && !navigator.webdriver) {
  navigator.sendBeacon(location.pathname);
}
location.replace(document.getElementById("on").href);
