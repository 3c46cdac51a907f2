// What every page has.  Each part finds its own elements and does nothing where there are none.
import { startConfirm } from "./confirm.js";
import { startCopy } from "./copy.js";
import { startKeepOpen } from "./keep-open.js";
import { startKeys } from "./keys.js";
import { startTabs } from "./tabs.js";
import { startThemeSwitch } from "./theme-switch.js";
import { startTimes } from "./times.js";

startThemeSwitch();
startKeys();
startCopy();
startTimes();
startKeepOpen();
startConfirm();
startTabs();
