// What cannot be taken back is asked twice: `data-confirm` on a button says what it does.
export function startConfirm() {
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
}
